-- Stores all records or none. ARGV: member, value, expires of each.
-- 1: done. -3: a key is taken.
if taken(1) then
  if own(redis.call('GET', base .. 'r:' .. ARGV[1]), ARGV[2]) then return 1 end
  return -3
end
putAll(1)
return 1
