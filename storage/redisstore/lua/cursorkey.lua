-- Returns the key of cursors, or '' if there is none. ARGV: a key to store if there is none, or ''.
local name = KEYS[1] .. 'k'
if ARGV[1] ~= '' then redis.call('SET', name, ARGV[1], 'NX') end
return redis.call('GET', name) or ''
