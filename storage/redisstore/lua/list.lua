-- Reads a piece of an index.
-- ARGV: index, first and last member as ZRANGEBYLEX has them, how many members to read at most, how many to return at
-- most, client, subject ('' matches all).
-- Returns the last member that was read, or '' at the end of the index, then member and value of each match.
local base = KEYS[1]
local most, wanted, client, subject = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6], ARGV[7]
local members = redis.call('ZRANGEBYLEX', base .. ARGV[1], ARGV[2], ARGV[3], 'LIMIT', 0, most)
local found, bytes = {''}, 0
for n, member in ipairs(members) do
  local value = redis.call('GET', base .. 'r:' .. member)
  if value then
    local c, s = value:match('^..[^%z]*%z([^%z]*)%z([^%z]*)%z')
    if (client == '' or c == client) and (subject == '' or s == subject) then
      found[#found + 1] = member
      found[#found + 1] = value
      bytes = bytes + #value
    end
  end
  -- Records may be large, so an answer ends after the one with which it reaches 4 MiB.
  if n == most or #found > 2 * wanted or bytes > 4194304 then
    found[1] = member
    break
  end
end
return found
