-- Takes a lease that is free or the asker's own, and returns a fencing number; nothing where another holds it.
--
-- KEYS  1 the lease, 2 its last fencing number
-- ARGV  1 the holder, 2 for how many ms
-- The number is the server's clock, so that it grows also where the last one was lost with a server.
--
-- A server whose memory is full refuses a script's first command that needs more, and none after another write. What
-- history has filled must not keep anybody from leading: so a write comes first that needs nothing, and changes nothing.

redis.call('PERSIST', KEYS[2])

if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
  if redis.call('GET', KEYS[1]) ~= ARGV[1] then return false end
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
local clock = redis.call('TIME')
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
local fence = string.format('%.0f', math.max(last + 1, clock[1] * 1000 + math.floor(clock[2] / 1000)))
redis.call('SET', KEYS[2], fence)
return fence
