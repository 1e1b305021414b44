-- Says which line of data this server goes on with: the same for as long as nothing acknowledged can have been lost.
--
-- KEYS  1 what is known of the line
-- ARGV  1 the run of this server, 2 "1" where it has after a restart what it had before
-- A hash: l the line, r the run that was seen last. A server that was made the master in place of another, or that
-- began anew without its data, begins a line of its own.

local known = redis.call('HMGET', KEYS[1], 'l', 'r')
local line = known[1]
if known[2] ~= ARGV[1] then
  if not line or ARGV[2] ~= '1' then line = ARGV[1] end
  redis.call('PERSIST', KEYS[1])  -- changes nothing; see acquire.lua
  redis.call('HSET', KEYS[1], 'l', line, 'r', ARGV[1])
end
return line
