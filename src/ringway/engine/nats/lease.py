"""Leases in a JetStream key-value bucket (`ports.Lease`).

A lease is a key; its value names the holder, the time to live that the holder promised to respect, and the fencing
number. Every change is a compare-and-set on the key's revision, so one of several attempts succeeds.

No wall clock decides who holds a lease. A process that wants a lease of another holder reads the key's revision each
time it asks. If the revision is the same for the whole time to live, by the process's own monotonic clock, the holder
has failed to renew, and the process replaces it. So a process that has just started must watch the lease of a dead
holder for one time to live before it can acquire it. A released lease is a key without a holder, free at once.

The bucket is in the storage that history does not use: in memory if history is in files, and in files otherwise. NATS
bounds the two separately, so history that fills its storage leaves room for leases. A bucket in memory is lost with its
servers. That shows: the bucket was made again, or its revisions begin again. A holder then writes its lease anew if the
key has no holder, and the others leave it alone for one time to live. A process that has just started knows of no loss;
the fencing number separates it from the holder.

The fencing number is the last one plus 1, or the server's time in units of 2**-32 s since 2020 if that is greater.
So it grows also if the last one was lost.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

import msgspec

from ringway.core.fencing_number import CLOCK_AHEAD_S, IMPOSSIBLE, TTL_S_MAX, check_fence, is_possible
from ringway.engine.address import token
from ringway.engine.condition import Condition
from ringway.engine.nats.bucket import KeyValueBucket
from ringway.engine.nats.jetstream_request import WrongRevision
from ringway.errors import EngineAway, EngineError
from ringway.logger import get_logger

STEPS_S = 9.0
"""The deadline of all steps of a request."""

FENCE_EPOCH = 1_577_836_800
"""2020-01-01T00:00:00Z, in seconds."""


_log = get_logger()


class _Value(msgspec.Struct, frozen=True):
    """The value of a lease's key."""

    holder: str = ""
    ttl_s: float = 0.0
    fence: int = 0


@dataclass(frozen=True, slots=True)
class _Seen:
    """The content of a key: holder, time to live, fence and revision, and the time of the revision's first reading."""

    holder: str
    ttl_s: float
    fence: int
    revision: int
    since: float


@dataclass(slots=True)
class _Held:
    """A lease of this process: the revision that it wrote last (0: it was lost since then), and its fence."""

    revision: int
    fence: int


class NatsLease:
    """Leases with fencing numbers, kept by JetStream in `bucket`."""

    def __init__(
        self,
        bucket: KeyValueBucket,
        condition: Condition,
        now: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._bucket = bucket
        self._condition = condition
        self._now = now
        self._wall = wall
        self._bucket_known = False  # True if the bucket exists, and was recognised
        self._made = ""  # the creation time of the bucket, by NATS's last answer
        self._newest = 0  # the newest revision that is known to have been in it
        self._lost_at = float("-inf")
        self._seen: dict[str, _Seen] = {}
        self._held: dict[tuple[str, str], _Held] = {}

    async def acquire(self, name: str, holder: str, ttl_s: float) -> int | None:
        """Return a fencing number, or None. It never waits for a lease to end: call it about once a second."""
        async with self._asking():
            seen = await self._read(name)
            if seen is None and self._now() - self._lost_at < ttl_s and (name, holder) not in self._held:
                return None
            if seen is not None and seen.holder not in ("", holder) and self._now() - seen.since < seen.ttl_s:
                return None
            info = await self._bucket.read_info()
            held = self._held.get((name, holder))
            fence_max = _fence_at(self._wall() + CLOCK_AHEAD_S)
            last = max(_believed(name, seen, fence_max), held.fence if held else 0)
            fence = max(last + 1, _fence_of(info.ts))
            check_fence(name, fence, fence_max)
            try:
                revision = await self._write(name, holder, ttl_s, fence, seen.revision if seen else 0)
            except WrongRevision:
                return None
            self._held[name, holder] = _Held(revision, fence)
            return fence

    async def renew(self, name: str, holder: str, ttl_s: float) -> bool:
        """Write the lease anew; False if a different holder has it. After `EngineAway` the outcome is unknown."""
        if (name, holder) not in self._held:
            return False
        async with self._asking():
            held = self._held[name, holder]
            if not held.revision:
                return await self._renew_seen(name, holder, ttl_s)
            try:
                held.revision = await self._write(name, holder, ttl_s, held.fence, held.revision)
            except WrongRevision:
                return await self._renew_seen(name, holder, ttl_s)
        return True

    async def _renew_seen(self, name: str, holder: str, ttl_s: float) -> bool:
        """Renew if an earlier renewal was made although its confirmation never came, or if all leases were lost.

        A holder that lost its lease with the bucket may write it anew: members that know of the loss leave it alone.
        """
        seen = await self._read(name)
        ours = seen is not None and seen.holder == holder
        if ours or (seen is None and self._now() - self._lost_at < ttl_s):
            held = self._held[name, holder]
            with suppress(WrongRevision):
                last = seen.revision if seen else 0
                held.revision = await self._write(name, holder, ttl_s, held.fence, last)
                return True
        self._held.pop((name, holder), None)
        return False

    async def release(self, name: str, holder: str) -> None:
        """Remove the key's holder if it is still `holder`. A failure of NATS is ignored: then the lease runs out."""
        held = self._held.get((name, holder))
        if held is None:
            return
        try:
            with suppress(EngineError, WrongRevision):
                async with self._asking():
                    if held.revision:
                        await self._write(name, "", 0.0, held.fence, held.revision)
        finally:
            self._held.pop((name, holder), None)

    async def _write(self, name: str, holder: str, ttl_s: float, fence: int, last: int) -> int:
        value = msgspec.json.encode(_Value(holder, ttl_s, fence))
        revision = await self._bucket.write_key(token(name), value, last)
        self._newest = max(self._newest, revision)
        return revision

    async def _read(self, name: str) -> _Seen | None:
        found = await self._bucket.read_key(token(name))
        if found is None:
            if self._seen.pop(name, None) is not None or any(held == name for held, _ in self._held):
                await self._recognise()  # keys are never removed: the bucket lost it
            return None
        revision, text = found
        seen = self._seen.get(name)
        if seen is None or seen.revision != revision:
            value = _read_value(text)
            seen = _Seen(value.holder, min(value.ttl_s, TTL_S_MAX), value.fence, revision, self._now())
            self._seen[name] = seen
            self._newest = max(self._newest, revision)
        return seen

    def forget(self) -> None:
        """Forget the readings: the connection is lost, and NATS may return with a different store."""
        self._bucket_known = False
        self._seen.clear()

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[None]:
        """Make the bucket if it is missing, before the block; after an error in the block, again before the next."""
        with self._condition.watch_service("leases"):
            try:
                async with asyncio.timeout(STEPS_S):
                    if not self._bucket_known:
                        await self._bucket.make()
                        self._bucket_known = True
                        await self._recognise()
                    yield
            except EngineError:
                self._bucket_known = False  # it may have been lost
                raise
            except TimeoutError:
                self._bucket_known = False
                raise EngineAway(f"NATS did not answer for the leases within {STEPS_S:g} s") from None

    async def _recognise(self) -> None:
        """Record the loss if the bucket was made again, or lacks a revision that it had."""
        info = await self._bucket.read_info()
        if self._made and (info.created != self._made or info.state.last_seq < self._newest):
            self._lost_at = self._now()
            self._seen.clear()
            self._newest = 0
            for held in self._held.values():
                held.revision = 0  # the same number may belong to a different holder by now
        self._made = info.created
        self._newest = max(self._newest, info.state.last_seq)


def _believed(name: str, seen: _Seen | None, fence_max: int) -> int:
    """Return the fence that was read; 0 if there is none, or one that no member can have written."""
    if seen is None or is_possible(seen.fence, fence_max):
        return seen.fence if seen is not None else 0
    _log.warning(IMPOSSIBLE, lease=name, number=seen.fence)
    return 0


def _fence_of(moment: str) -> int:
    """Return the least fencing number for a lease that is acquired at that time of the server."""
    return _fence_at(datetime.fromisoformat(moment).timestamp())


def _fence_at(unix_s: float) -> int:
    return int((unix_s - FENCE_EPOCH) * (1 << 32))


_decode_value = msgspec.json.Decoder(_Value).decode


def _read_value(text: bytes) -> _Value:
    """Return the value of a key. Of a value that no member wrote, the lease is free, and the fence is impossible."""
    try:
        return _decode_value(text) if text else _Value()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Value(fence=-1)
