-- Tells whether an enabled client has the origin. ARGV: origin.
return redis.call('HEXISTS', KEYS[1] .. 'o', ARGV[1])
