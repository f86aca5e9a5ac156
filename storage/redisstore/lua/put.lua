-- put stores a value under its member ("kind:key") and files it in the indexes: r: the records, g: members by grant,
-- s: members by subject, i: all members in byte order, x: by expiry. old is the value that is replaced, or false.
-- A value begins with version, state, grant NUL client NUL subject NUL.
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

-- own tells whether a stored value is the one that this call would write: the same bytes, nonce included, whatever state
-- it has got into since. It is there when a client sent the call twice for want of an answer.
local function own(stored, value) return stored and stored:sub(3) == value:sub(3) end

-- taken tells whether one of the records from ARGV[first] on, each member, value, expires, is there already or
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
