-- Acquires a lease that is free or already the holder's, and returns its fencing number in a table; nothing if another
-- holder has it. A last number that cannot be one, or is above the greatest that is possible, counts as none, and is
-- returned as well: whoever can write to the server can write one. Keys of another type are treated alike.
--
-- KEYS  1 the lease, 2 its last fencing number
-- ARGV  1 the holder, 2 for how many ms, 3 the greatest number that is possible
-- No member acquires a lease for more than a minute (`core.fencing_number`): a longer one of somebody else is shortened.
-- The number is the server's clock, so it grows even if the last number was lost with a server.
--
-- A server whose memory is full refuses the first command of a script that needs memory, but no command after a write.
-- Memory that is full of history must not prevent leadership: so the script begins with a write that needs no memory and
-- changes nothing.

redis.call('PERSIST', KEYS[2])

if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
  if redis.pcall('GET', KEYS[1]) ~= ARGV[1] then
    local left = redis.call('PTTL', KEYS[1])
    if left < 0 or left > 60000 then redis.call('PEXPIRE', KEYS[1], 60000) end
    return false
  end
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
local clock = redis.call('TIME')
local stored = redis.pcall('GET', KEYS[2]) or '0'
if type(stored) == 'table' then stored = 'a key of another type' end
local last = tonumber(stored) or -1
local possible = last >= 0 and last <= tonumber(ARGV[3])
if not possible then last = 0 end
local fence = string.format('%.0f', math.max(last + 1, clock[1] * 1000 + math.floor(clock[2] / 1000)))
redis.call('SET', KEYS[2], fence)
if possible then return {fence} end
return {fence, string.sub(stored, 1, 64)}
