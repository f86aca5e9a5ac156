-- Runs before putclient. ARGV has one argument more: ID, the value to replace ('' for none), value, origins.
-- Returns -2 if another value is stored. If the new value is stored already, the same call was sent before.
local stored = redis.call('HGET', KEYS[1] .. 'c', ARGV[1]) or ''
if stored == ARGV[3] then return 1 end
if stored ~= ARGV[2] then return -2 end
table.remove(ARGV, 2)
