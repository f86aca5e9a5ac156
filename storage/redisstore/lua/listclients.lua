-- Returns the values of clients in the order of their IDs. ARGV: first ID as ZRANGEBYLEX has it, how many at most.
local values = {}
for _, id in ipairs(redis.call('ZRANGEBYLEX', KEYS[1] .. 'n', ARGV[1], '+', 'LIMIT', 0, ARGV[2])) do
  values[#values + 1] = redis.call('HGET', KEYS[1] .. 'c', id) or ''
end
return values
