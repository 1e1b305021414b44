-- The beginning of every script about a channel's history. history.py describes the keys.
--
-- KEYS  1 the stream, 2 what is known of it
-- ARGV  1 the lineage of this server's data (lineage.lua), 2 the epoch to use if a new one begins, 3 how many
--       publications are kept, 4 for how many ms
--
-- KEYS 2 is a hash: e the epoch, l the lineage in which the epoch began, n the newest offset, b the newest offset before
-- the epoch. Publications of an earlier epoch can still be read; they are never said to be complete.
-- Offsets are the server's clock in steps of 1/4096 ms since 2020, and always grow: offsets that were lost with a server
-- are not used again, and an expired publication is recognised by its offset.
--
-- A server whose memory is full refuses the first command of a script that needs memory, but no command after a write:
-- so the commands that need memory come first.

local STEP, YEAR_2020, KNOWN_MS = 4096, 1577836800000, 86400000
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local ttl = tonumber(ARGV[4])

local function digits(number)
  return string.format('%.0f', number)
end

local function offset_at(ms)
  return math.max(ms - YEAR_2020, 0) * STEP
end

local known = redis.call('HMGET', KEYS[2], 'e', 'l', 'n', 'b')
local epoch, newest, before = known[1], tonumber(known[3] or '0'), tonumber(known[4] or '0')
if not epoch or known[2] ~= ARGV[1] then
  epoch, before = ARGV[2], newest
  redis.call('HSET', KEYS[2], 'e', epoch, 'l', ARGV[1], 'n', digits(newest), 'b', digits(before))
end

local function expire()
  redis.call('PEXPIRE', KEYS[2], KNOWN_MS + ttl)
  redis.call('XTRIM', KEYS[1], 'MINID', digits(offset_at(now - ttl)))
end
