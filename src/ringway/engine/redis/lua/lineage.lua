-- Returns the lineage of this server's data: the same while nothing acknowledged can have been lost.
--
-- KEYS  1 what is known of the lineage
-- ARGV  1 the id of this server's run, 2 "1" if the server has after a restart all data that it had before
-- The key is a hash: l the lineage, r the run that was seen last. A server that replaced a master, or that was restarted
-- without its data, begins a new lineage.

local known = redis.call('HMGET', KEYS[1], 'l', 'r')
local lineage = known[1]
if known[2] ~= ARGV[1] then
  if not lineage or ARGV[2] ~= '1' then lineage = ARGV[1] end
  redis.call('PERSIST', KEYS[1])  -- changes nothing; see acquire.lua
  redis.call('HSET', KEYS[1], 'l', lineage, 'r', ARGV[1])
end
return lineage
