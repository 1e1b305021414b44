-- Sends a request to all servers of an address, and returns their number.
--
-- KEYS  1 the channel of the address
-- ARGV  1 the request, 2 PUBLISH or SPUBLISH, 3 NUMSUB or SHARDNUMSUB, 4 "1" if only one server shall work on it
-- The first byte of the message is "+" if a server must claim the request before it begins.

local shared = '-'
if ARGV[4] == '1' and redis.call('PUBSUB', ARGV[3], KEYS[1])[2] > 1 then shared = '+' end
return redis.call(ARGV[2], KEYS[1], shared .. ARGV[1])
