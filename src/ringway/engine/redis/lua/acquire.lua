-- Acquires a lease that is free or already the holder's, and returns a fencing number; nothing if another holder has it.
--
-- KEYS  1 the lease, 2 its last fencing number
-- ARGV  1 the holder, 2 for how many ms
-- The number is the server's clock, so it grows even if the last number was lost with a server.
--
-- A server whose memory is full refuses the first command of a script that needs memory, but no command after a write.
-- Memory that is full of history must not prevent leadership: so the script begins with a write that needs no memory and
-- changes nothing.

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
