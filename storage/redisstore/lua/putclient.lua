-- Stores a client or, if the value is empty, removes it. ARGV: ID, value, then the origins of a client that is not disabled.
-- c has values by ID, n IDs in byte order, p the origins that are counted for an ID, o the number of clients by origin.
-- Returns 1 if it is done, -1 if there is no such client to remove.
local base, id, value = KEYS[1], ARGV[1], ARGV[2]
if value == '' and redis.call('HEXISTS', base .. 'c', id) == 0 then return -1 end
local counted = redis.call('HGET', base .. 'p', id)
if counted then
  for origin in counted:gmatch('[^\n]+') do
    if redis.call('HINCRBY', base .. 'o', origin, -1) < 1 then redis.call('HDEL', base .. 'o', origin) end
  end
  redis.call('HDEL', base .. 'p', id)
end
if value == '' then
  redis.call('HDEL', base .. 'c', id)
  redis.call('ZREM', base .. 'n', id)
  return 1
end
redis.call('HSET', base .. 'c', id, value)
redis.call('ZADD', base .. 'n', 0, id)
for n = 3, #ARGV do redis.call('HINCRBY', base .. 'o', ARGV[n], 1) end
if #ARGV > 2 then redis.call('HSET', base .. 'p', id, table.concat(ARGV, '\n', 3)) end
return 1
