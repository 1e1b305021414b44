-- Begins every script about a channel's history. See redis_history.py for what is kept where.
--
-- KEYS  1 the stream, 2 what is known of it
-- ARGV  1 the line of this server's data (line.lua), 2 an epoch, should a new one begin, 3 how many publications are
--       kept, 4 for how many ms
--
-- A hash knows of the stream: e its epoch, l the line in which that began, n its newest offset, b the newest offset
-- before the epoch. What was kept in an epoch before can still be read; that it is complete is not said.
-- Offsets are the server's clock in steps of 1/4096 ms since 2020, and grow in any case: what is lost with a server is
-- not counted again, and what has expired can be told by its offset.
--
-- A server whose memory is full refuses the first command of a script that needs more, and none after another write: so
-- such a one comes first.

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
