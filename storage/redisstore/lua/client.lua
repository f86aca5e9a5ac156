-- Returns a client's value, or ''. ARGV: ID.
return redis.call('HGET', KEYS[1] .. 'c', ARGV[1]) or ''
