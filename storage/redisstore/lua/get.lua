-- Returns a value, or ''. Client libraries differ in how they return a missing value.
return redis.call('GET', KEYS[1]) or ''
