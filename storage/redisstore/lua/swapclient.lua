-- Goes before putclient, whose ARGV has one more here: ID, the value that is to be replaced ('' for none), value, origins.
-- -2: another value is stored. One that is the new value already was written by this very call, sent once before.
local stored = redis.call('HGET', KEYS[1] .. 'c', ARGV[1]) or ''
if stored == ARGV[3] then return 1 end
if stored ~= ARGV[2] then return -2 end
table.remove(ARGV, 2)
