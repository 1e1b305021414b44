-- Sends a request to all who serve an address, and returns how many these are.
--
-- KEYS  1 the channel of the address
-- ARGV  1 the request, 2 PUBLISH or SPUBLISH, 3 NUMSUB or SHARDNUMSUB, 4 "1" where only one of several shall work on it
-- The first byte that they get says whether they must ask first whose it is.

local shared = '-'
if ARGV[4] == '1' and redis.call('PUBSUB', ARGV[3], KEYS[1])[2] > 1 then shared = '+' end
return redis.call(ARGV[2], KEYS[1], shared .. ARGV[1])
