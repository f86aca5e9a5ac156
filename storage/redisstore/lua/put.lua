-- Functions of insert and advance. put stores a value under its member, which is kind:key, and updates the indexes:
-- r: is the records, g: members by grant, s: members by subject, i all members in byte order, x members by expiry.
-- old is the value that is replaced, or false. A value begins with version, state, grant NUL client NUL subject NUL.
local base = KEYS[1]

local function owners(value) return value:match('^..([^%z]*)%z[^%z]*%z([^%z]*)%z') end

local function put(member, value, expires, old)
  local grant, subject = owners(value)
  if old then
    local oldGrant, oldSubject = owners(old)
    if oldGrant ~= grant and oldGrant ~= '' then redis.call('ZREM', base .. 'g:' .. oldGrant, member) end
    if oldSubject ~= subject and oldSubject ~= '' then redis.call('ZREM', base .. 's:' .. oldSubject, member) end
  end
  redis.call('SET', base .. 'r:' .. member, value)
  if not old then redis.call('ZADD', base .. 'i', 0, member) end
  if grant ~= '' then redis.call('ZADD', base .. 'g:' .. grant, 0, member) end
  if subject ~= '' then redis.call('ZADD', base .. 's:' .. subject, 0, member) end
  if expires ~= '' then
    redis.call('ZADD', base .. 'x', expires, member)
  elseif old then
    redis.call('ZREM', base .. 'x', member)
  end
end

-- own reports whether a stored value is the one that this call writes: the same bytes, including the nonce, in any state.
-- That is so if a client library lost the answer and sent the call twice.
local function own(stored, value) return stored and stored:sub(3) == value:sub(3) end

-- taken reports whether one of the records from ARGV[first] on (member, value and expiry of each) is stored already, or
-- occurs twice.
local function taken(first)
  local seen = {}
  for n = first, #ARGV, 3 do
    if seen[ARGV[n]] or redis.call('EXISTS', base .. 'r:' .. ARGV[n]) == 1 then return true end
    seen[ARGV[n]] = true
  end
  return false
end

local function putAll(first)
  for n = first, #ARGV, 3 do put(ARGV[n], ARGV[n + 1], ARGV[n + 2], false) end
end
