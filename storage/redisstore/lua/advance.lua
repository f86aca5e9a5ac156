-- Replaces one record if its state is ARGV[1], and stores others.
-- ARGV: the state, then member, value and expiry of each record, the replaced one first.
-- Returns 1 if it is done, -1 if there is no such record, -2 if its state is another one, -3 if a key is taken.
local old = redis.call('GET', base .. 'r:' .. ARGV[2])
if not old then return -1 end
if own(old, ARGV[3]) then return 1 end
if old:sub(2, 2) ~= ARGV[1] then return -2 end
if taken(5) then return -3 end
put(ARGV[2], ARGV[3], ARGV[4], old)
putAll(5)
return 1
