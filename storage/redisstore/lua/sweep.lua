-- Removes records that expired before ARGV[1] (milliseconds), at most ARGV[2], and returns their number.
local base = KEYS[1]
local members = redis.call('ZRANGEBYSCORE', base .. 'x', '-inf', '(' .. ARGV[1], 'LIMIT', 0, ARGV[2])
for _, member in ipairs(members) do
  local value = redis.call('GET', base .. 'r:' .. member)
  if value then
    local grant, subject = value:match('^..([^%z]*)%z[^%z]*%z([^%z]*)%z')
    redis.call('ZREM', base .. 'g:' .. grant, member)
    redis.call('ZREM', base .. 's:' .. subject, member)
  end
  redis.call('DEL', base .. 'r:' .. member)
  redis.call('ZREM', base .. 'i', member)
  redis.call('ZREM', base .. 'x', member)
end
return #members
