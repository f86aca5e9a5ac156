-- Returns a value, or nothing: clients disagree about what a missing one is.
return redis.call('GET', KEYS[1]) or ''
