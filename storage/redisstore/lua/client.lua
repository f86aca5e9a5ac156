-- Returns the value of a client, or ''. ARGV: ID.
return redis.call('HGET', KEYS[1] .. 'c', ARGV[1]) or ''
