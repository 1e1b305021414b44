"""Leases in a JetStream key-value bucket; see `ports.Lease`.

A lease is a key; its value names the holder and the time to live it promised to keep. Every change is a
compare-and-set on the key's revision, so of several who try one wins.

Nobody's wall clock matters. Who wants a lease that another holds looks at the key's revision each time it
asks: has it stayed the same for the whole time to live on the asker's own monotonic clock, its holder has
failed to renew, and the asker replaces it. So a process that has just started must watch a dead holder's
lease for one time to live before it can take it. A released lease is a deleted key, free at once.

The fencing number is the second in which the bucket was made (counted from 2020, to stay below 2**63 for
long), times 2**32, plus the revision: revisions begin anew when the store is lost and made again, and the
number must grow even then.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from nats.errors import Error as NatsError
from nats.js.api import KeyValueConfig, StorageType
from nats.js.errors import (
    APIError,
    BadRequestError,
    KeyNotFoundError,
    KeyWrongLastSequenceError,
    ServiceUnavailableError,
)
from nats.js.kv import KeyValue

from ringway.engine.address import token
from ringway.engine.nats_wire import Wire
from ringway.errors import EngineAway, EngineUnsuitable

ANSWER_S = 3.0
"""How long JetStream may take for one step."""

FENCE_EPOCH = 1_577_836_800
"""2020-01-01T00:00:00Z, in seconds."""

REPLICAS = 3
"""Copies of the bucket in a cluster of NATS servers; a single server keeps one."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """A key as it was found: who holds it, for how long, and when this revision was first seen."""

    holder: str
    ttl_s: float
    revision: int
    since: float


class NatsLease:
    """Leases with fencing numbers, kept by JetStream."""

    def __init__(self, wire: Wire, cluster: str, now: Callable[[], float] = time.monotonic) -> None:
        self._wire = wire
        self._now = now
        self._bucket_name = f"rw-{cluster}-leases"
        self._stream = wire.jetstream(timeout=ANSWER_S)
        self._bucket: KeyValue | None = None
        self._seen: dict[str, _Seen] = {}
        self._revisions: dict[tuple[str, str], int] = {}

    async def acquire(self, name: str, holder: str, ttl_s: float) -> int | None:
        """Return a fencing number, or None. Ask again about each second; it never waits for a lease to end."""
        async with self._asking() as bucket:
            seen = await self._look(bucket, name)
            if seen is not None and seen.holder != holder and self._now() - seen.since < seen.ttl_s:
                return None
            try:
                revision = await self._put(bucket, name, holder, ttl_s, seen.revision if seen else 0)
            except KeyWrongLastSequenceError:
                return None
            self._revisions[name, holder] = revision
            return await self._made_at() << 32 | revision

    async def renew(self, name: str, holder: str, ttl_s: float) -> bool:
        """Write the lease anew; False where another has it. After `EngineAway` it may or may not be renewed."""
        if (name, holder) not in self._revisions:
            return False
        async with self._asking() as bucket:
            try:
                self._revisions[name, holder] = await self._put(
                    bucket, name, holder, ttl_s, self._revisions[name, holder]
                )
            except KeyWrongLastSequenceError:
                return await self._renew_seen(bucket, name, holder, ttl_s)
        return True

    async def _renew_seen(self, bucket: KeyValue, name: str, holder: str, ttl_s: float) -> bool:
        """Renew where an earlier renewal was made although its confirmation never came; else it is lost."""
        seen = await self._look(bucket, name)
        if seen is not None and seen.holder == holder:
            with suppress(KeyWrongLastSequenceError):
                self._revisions[name, holder] = await self._put(bucket, name, holder, ttl_s, seen.revision)
                return True
        self._revisions.pop((name, holder), None)
        return False

    async def release(self, name: str, holder: str) -> None:
        """Delete the key where it is still ours. Quiet while NATS is away: then the lease runs out."""
        revision = self._revisions.pop((name, holder), None)
        if revision is None:
            return
        try:
            async with self._asking() as bucket:
                await bucket.delete(token(name), last=revision, validate_keys=False)
        except (EngineAway, EngineUnsuitable):
            pass

    async def _put(self, bucket: KeyValue, name: str, holder: str, ttl_s: float, last: int) -> int:
        value = json.dumps({"holder": holder, "ttl_s": ttl_s}).encode()
        if last:
            return await bucket.update(token(name), value, last=last, validate_keys=False)
        return await bucket.create(token(name), value, validate_keys=False)

    async def _look(self, bucket: KeyValue, name: str) -> _Seen | None:
        try:
            entry = await bucket.get(token(name), validate_keys=False)
        except KeyNotFoundError:
            self._seen.pop(name, None)
            return None
        seen = self._seen.get(name)
        if seen is None or seen.revision != entry.revision:
            value = json.loads(entry.value or b"{}")
            seen = _Seen(value.get("holder", ""), float(value.get("ttl_s", 0)), entry.revision or 0, self._now())
            self._seen[name] = seen
        return seen

    def forget(self) -> None:
        """The connection is lost; NATS may return with another store, and what was seen before proves nothing."""
        self._bucket = None
        self._seen.clear()

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[KeyValue]:
        """Give the bucket, made where it is missing, and turn what NATS raises into our errors."""
        self._wire.require()
        try:
            async with asyncio.timeout(3 * ANSWER_S):
                if self._bucket is None:
                    self._bucket = await self._open_bucket()
                yield self._bucket
        except ServiceUnavailableError as error:
            raise EngineAway("JetStream has no leader at the moment; retry") from error
        except APIError as error:
            raise EngineUnsuitable(f"NATS refused a lease: {error.description}") from error
        except (NatsError, TimeoutError) as error:
            self._bucket = None  # it may have been lost: the next request looks, and makes it anew
            raise EngineAway(f"NATS did not answer for the leases: {error or type(error).__name__}") from error

    async def _open_bucket(self) -> KeyValue:
        clustered = "cluster" in self._wire.server_info
        config = KeyValueConfig(
            bucket=self._bucket_name,
            description="Ringway: who leads",
            storage=StorageType.FILE,
            replicas=REPLICAS if clustered else 1,
        )
        try:
            return await self._stream.create_key_value(config)
        except BadRequestError:
            # It exists, made by another version or operator with other settings: theirs hold.
            return await self._stream.key_value(self._bucket_name)

    async def _made_at(self) -> int:
        info = await self._stream.stream_info(f"KV_{self._bucket_name}")
        if info.created is None:
            raise EngineUnsuitable(
                "NATS does not say when the bucket of leases was made; use nats-server 2.10 or newer"
            )
        return int(info.created.timestamp()) - FENCE_EPOCH
