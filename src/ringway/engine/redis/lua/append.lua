-- Stores a publication and sends it to the subscribers of its channel.
--
-- KEYS  3 the channel, 4 the memory of the idempotency key (if there is one)
-- ARGV  5 the payload, 6 PUBLISH or SPUBLISH, 7 for how many ms the key is remembered
-- Returns the epoch and the offset.

if KEYS[4] then
  local first = redis.call('GET', KEYS[4])
  if first and string.sub(first, 1, #epoch + 1) == epoch .. ':' then
    return {epoch, string.sub(first, #epoch + 2)}
  end
end
local offset = math.max(newest + 1, offset_at(now))
local text = digits(offset)
redis.call('HSET', KEYS[2], 'n', text)
expire()
local previous = 0
if redis.call('XLEN', KEYS[1]) > 0 then previous = newest end
redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[3], text .. '-0', 'p', digits(newest), 'd', ARGV[5])
redis.call('PEXPIRE', KEYS[1], ttl)
if KEYS[4] then redis.call('SET', KEYS[4], epoch .. ':' .. text, 'PX', ARGV[7]) end
redis.call(ARGV[6], KEYS[3], struct.pack('>BI8I8', 1, offset, previous) .. ARGV[5])
return {epoch, text}
