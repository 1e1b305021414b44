-- Reads kept publications.
--
-- ARGV  5 the offset after which to read (empty: the end), 6 how many at most, 7 "1" to read backwards, 8 after how many
--       bytes to stop
-- Returns the epoch, the newest offset, 1 if nothing is missing right after the offset of ARGV 5 (else 0), and the
-- offsets and payloads in the order of reading.

expire()
redis.call('XTRIM', KEYS[1], 'MAXLEN', ARGV[3])
local since, left, back, bytes_max = ARGV[5], tonumber(ARGV[6]), ARGV[7] == '1', tonumber(ARGV[8])

local function proven()
  -- True for three offsets: the newest, the one before the first kept publication, and that of a kept publication.
  if since == digits(newest) then return 1 end
  if tonumber(since) < before then return 0 end
  local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
  if first and first[2][2] == since then return 1 end
  return #redis.call('XRANGE', KEYS[1], since .. '-0', since .. '-0')
end

local from = '(' .. since .. '-0'
if since == '' then from = '+' end
local found, bytes, stride = {}, 0, 4
while left > 0 and bytes < bytes_max do
  local count = math.min(left, stride)
  local part
  if back then
    part = redis.call('XREVRANGE', KEYS[1], from, '-', 'COUNT', count)
  else
    part = redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', count)
  end
  for _, entry in ipairs(part) do
    found[#found + 1] = string.sub(entry[1], 1, -3)
    found[#found + 1] = entry[2][4]
    bytes = bytes + #entry[2][4]
    from = '(' .. entry[1]
    if bytes >= bytes_max then break end
  end
  left = left - #part
  if #part < count then break end
  if bytes * 8 < bytes_max then stride = stride * 4 end
end
return {epoch, digits(newest), back and 0 or proven(), found}
