-- Sets the state of a grant's records. ARGV: grant, revoked, denied, and the kinds; none: all.
-- Scripts run one at a time, so that no record can join the grant meanwhile.
local base = KEYS[1]
local grant, revoked, denied = ARGV[1], ARGV[2], ARGV[3]
local kinds = {}
for n = 4, #ARGV do kinds[ARGV[n]] = true end
-- When memory is full Redis refuses a script's first write unless that one takes no memory. This removes nothing,
-- takes nothing, and comes first: a revocation goes through on a full server, as SETRANGE then writes in place.
redis.call('DEL', base)
for _, member in ipairs(redis.call('ZRANGE', base .. 'g:' .. grant, 0, -1)) do
  if #ARGV == 3 or kinds[member:match('^[^:]*')] then
    local state = redis.call('GETRANGE', base .. 'r:' .. member, 1, 1)
    if state ~= '' and state ~= revoked and state ~= denied then
      redis.call('SETRANGE', base .. 'r:' .. member, 1, revoked)
    end
  end
end
return 1
