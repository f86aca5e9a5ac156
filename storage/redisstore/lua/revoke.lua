-- Revokes the records of a grant. ARGV: grant, the digits of revoked and denied, then the kinds; without kinds, all.
-- Redis runs one script at a time, so no record can join the grant meanwhile.
local base = KEYS[1]
local grant, revoked, denied = ARGV[1], ARGV[2], ARGV[3]
local kinds = {}
for n = 4, #ARGV do kinds[ARGV[n]] = true end
-- When its memory is full, Redis refuses the first write of a script unless that write takes no memory. This first write
-- removes nothing and takes nothing. SETRANGE then writes in place, so a revocation succeeds on a full server.
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
