"""Leases in a JetStream key-value bucket; see `ports.Lease`.

A lease is a key; its value names the holder, the time to live it promised to keep, and its fencing number. Every change
is a compare-and-set on the key's revision, so of several who try one wins.

Nobody's wall clock matters for who holds a lease. Who wants one that another holds looks at the key's revision each
time it asks: has it stayed the same for the whole time to live on the asker's own monotonic clock, its holder has
failed to renew, and the asker replaces it. So a process that has just started must watch a dead holder's lease for one
time to live before it can take it. A released lease is a key without a holder, free at once.

The bucket is where history is not: in memory where that is in files, and the other way round. NATS bounds the two
apart, so history that fills its own leaves room for leases. What is in memory goes with its servers. That shows: the
bucket was made again, or its revisions begin again. Its holder then writes the lease anew where nobody has it, and the
others leave it alone for one time to live; who has just come and knows of no loss is kept apart from the holder by the
fencing number.

The fencing number is one more than the last, or the server's time in units of 2**-32 s since 2020 where that is more:
so it grows also where the last one was lost.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from nats.errors import Error as NatsError
from nats.js.api import KeyValueConfig, StorageType
from nats.js.errors import (
    APIError,
    BadRequestError,
    KeyNotFoundError,
    KeyWrongLastSequenceError,
)
from nats.js.kv import KeyValue

from ringway.engine.address import token
from ringway.engine.condition import Condition
from ringway.engine.nats.connection import Wire
from ringway.engine.nats.jetstream_request import refusal
from ringway.engine.nats.stream import ApiError, Info
from ringway.errors import EngineAway, EngineError, EngineUnsuitable

ANSWER_S = 3.0
"""How long JetStream may take for one step."""

FENCE_EPOCH = 1_577_836_800
"""2020-01-01T00:00:00Z, in seconds."""

REPLICAS = 3
"""Copies of the bucket in a cluster of NATS servers; a single server keeps one."""


BUCKET_BYTES = 4 << 20
"""Room for the leases of 10,000 names."""

Storage = Literal["memory", "file"]


class Asks(Protocol):
    """Asks JetStream about a stream (`nats_inquiry.Inquiry`)."""

    def api(self, request: str) -> Awaitable[Info]:
        """Return what it says."""
        ...


@dataclass(frozen=True, slots=True)
class _Seen:
    """A key as it was found: who holds it, for how long, its fence, and when this revision was first seen."""

    holder: str
    ttl_s: float
    fence: int
    revision: int
    since: float


@dataclass(slots=True)
class _Held:
    """A lease that this process has: the revision that it wrote last (0: it was lost since), and its fence."""

    revision: int
    fence: int


class NatsLease:
    """Leases with fencing numbers, kept by JetStream in a bucket that is made in `storage`."""

    def __init__(
        self,
        wire: Wire,
        cluster: str,
        asks: Asks,
        condition: Condition,
        storage: Storage = "memory",
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wire = wire
        self._asks = asks
        self._condition = condition
        self._storage = storage
        self._now = now
        self._bucket_name = f"rw-{cluster}-leases"
        self._stream = wire.jetstream(timeout=ANSWER_S)
        self._bucket: KeyValue | None = None
        self._made = ""  # when the bucket was made, as it was last heard of
        self._newest = 0  # the newest revision that is known to have been in it
        self._lost_at = float("-inf")
        self._seen: dict[str, _Seen] = {}
        self._held: dict[tuple[str, str], _Held] = {}

    async def acquire(self, name: str, holder: str, ttl_s: float) -> int | None:
        """Return a fencing number, or None. Ask again about each second; it never waits for a lease to end."""
        async with self._asking() as bucket:
            seen = await self._look(bucket, name)
            if seen is None and self._now() - self._lost_at < ttl_s and (name, holder) not in self._held:
                return None
            if seen is not None and seen.holder not in ("", holder) and self._now() - seen.since < seen.ttl_s:
                return None
            info = await self._asks.api(f"STREAM.INFO.KV_{self._bucket_name}")
            if info.error is not None:
                raise refusal(info.error)
            held = self._held.get((name, holder))
            last = max(seen.fence if seen else 0, held.fence if held else 0)
            fence = max(last + 1, _fence_of(info.ts))
            try:
                revision = await self._put(bucket, name, holder, ttl_s, fence, seen.revision if seen else 0)
            except KeyWrongLastSequenceError:
                return None
            self._held[name, holder] = _Held(revision, fence)
            return fence

    async def renew(self, name: str, holder: str, ttl_s: float) -> bool:
        """Write the lease anew; False where another has it. After `EngineAway` it may or may not be renewed."""
        if (name, holder) not in self._held:
            return False
        async with self._asking() as bucket:
            held = self._held[name, holder]
            if not held.revision:
                return await self._renew_seen(bucket, name, holder, ttl_s)
            try:
                held.revision = await self._put(bucket, name, holder, ttl_s, held.fence, held.revision)
            except KeyWrongLastSequenceError:
                return await self._renew_seen(bucket, name, holder, ttl_s)
        return True

    async def _renew_seen(self, bucket: KeyValue, name: str, holder: str, ttl_s: float) -> bool:
        """Renew where an earlier renewal was made although its confirmation never came, or everybody's lease was lost.

        Who lost it with the bucket may write it anew: those who knew of it leave it alone.
        """
        seen = await self._look(bucket, name)
        ours = seen is not None and seen.holder == holder
        if ours or (seen is None and self._now() - self._lost_at < ttl_s):
            held = self._held[name, holder]
            with suppress(KeyWrongLastSequenceError):
                last = seen.revision if seen else 0
                held.revision = await self._put(bucket, name, holder, ttl_s, held.fence, last)
                return True
        self._held.pop((name, holder), None)
        return False

    async def release(self, name: str, holder: str) -> None:
        """Leave the key without a holder where it is still ours. Quiet while NATS is away: then the lease runs out."""
        held = self._held.get((name, holder))
        if held is None:
            return
        try:
            with suppress(EngineError, KeyWrongLastSequenceError):
                async with self._asking() as bucket:
                    if held.revision:
                        await self._put(bucket, name, "", 0.0, held.fence, held.revision)
        finally:
            self._held.pop((name, holder), None)

    async def _put(self, bucket: KeyValue, name: str, holder: str, ttl_s: float, fence: int, last: int) -> int:
        value = json.dumps({"holder": holder, "ttl_s": ttl_s, "fence": fence}).encode()
        if last:
            revision = await bucket.update(token(name), value, last=last, validate_keys=False)
        else:
            revision = await bucket.create(token(name), value, validate_keys=False)
        self._newest = max(self._newest, revision)
        return revision

    async def _look(self, bucket: KeyValue, name: str) -> _Seen | None:
        try:
            entry = await bucket.get(token(name), validate_keys=False)
        except KeyNotFoundError:
            if self._seen.pop(name, None) is not None or any(held == name for held, _ in self._held):
                await self._recognize()  # keys are never removed: the bucket lost it
            return None
        seen = self._seen.get(name)
        if seen is None or seen.revision != entry.revision:
            value = json.loads(entry.value or b"{}")
            seen = _Seen(
                value.get("holder", ""),
                float(value.get("ttl_s", 0)),
                int(value.get("fence", 0)),
                entry.revision or 0,
                self._now(),
            )
            self._seen[name] = seen
            self._newest = max(self._newest, seen.revision)
        return seen

    def forget(self) -> None:
        """The connection is lost; NATS may return with another store, and what was seen before proves nothing."""
        self._bucket = None
        self._seen.clear()

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[KeyValue]:
        """Give the bucket, made where it is missing, and turn what NATS raises into our errors."""
        self._wire.require()
        with self._condition.watch_service("leases"):
            try:
                async with asyncio.timeout(3 * ANSWER_S):
                    if self._bucket is None:
                        self._bucket = await self._open_bucket()
                        await self._recognize()
                    yield self._bucket
            except KeyWrongLastSequenceError:
                raise
            except APIError as error:
                self._bucket = None
                raise _refusal(error) from error
            except (NatsError, TimeoutError) as error:
                self._bucket = None  # it may have been lost: the next request looks, and makes it anew
                raise EngineAway(f"NATS did not answer for the leases: {error or type(error).__name__}") from error

    async def _open_bucket(self) -> KeyValue:
        other: Storage = "file" if self._storage == "memory" else "memory"
        try:
            return await self._make_bucket(self._storage)
        except BadRequestError:
            # It exists, made by another version or operator with other settings: theirs hold.
            return await self._stream.key_value(self._bucket_name)
        except APIError as error:
            if not isinstance(_refusal(error), EngineUnsuitable):
                raise
            return await self._make_bucket(other)  # an account may have none of one storage

    async def _make_bucket(self, storage: Storage) -> KeyValue:
        clustered = "cluster" in self._wire.server_info
        config = KeyValueConfig(
            bucket=self._bucket_name,
            description="Ringway: who leads",
            storage=StorageType.FILE if storage == "file" else StorageType.MEMORY,
            replicas=REPLICAS if clustered else 1,
            max_bytes=BUCKET_BYTES,  # accounts may let no stream be without
        )
        return await self._stream.create_key_value(config)

    async def _recognize(self) -> None:
        """Take note of it where the bucket is not the one that it was, or has lost what it had."""
        info = await self._asks.api(f"STREAM.INFO.KV_{self._bucket_name}")
        if info.error is not None:
            raise refusal(info.error)
        if self._made and (info.created != self._made or info.state.last_seq < self._newest):
            self._lost_at = self._now()
            self._seen.clear()
            self._newest = 0
            for held in self._held.values():
                held.revision = 0  # the same number may be somebody else's by now
        self._made = info.created
        self._newest = max(self._newest, info.state.last_seq)


def _fence_of(moment: str) -> int:
    """Return the least fencing number for a lease that is acquired at that time of the server."""
    return int((datetime.fromisoformat(moment).timestamp() - FENCE_EPOCH) * (1 << 32))


def _refusal(error: APIError) -> EngineError:
    return refusal(ApiError(error.code or 0, error.err_code or 0, error.description or str(error)))
