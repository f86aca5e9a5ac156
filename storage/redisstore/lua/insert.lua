-- Stores all records or none. ARGV: member, value and expiry of each.
-- Returns 1 if it is done, -3 if a key is taken.
if taken(1) then
  if own(redis.call('GET', base .. 'r:' .. ARGV[1]), ARGV[2]) then return 1 end
  return -3
end
putAll(1)
return 1
