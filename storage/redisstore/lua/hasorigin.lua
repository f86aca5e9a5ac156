-- Returns 1 if a client that is not disabled has the origin, otherwise 0. ARGV: origin.
return redis.call('HEXISTS', KEYS[1] .. 'o', ARGV[1])
