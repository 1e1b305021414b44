"""Leases in Redis; see `ports.Lease`. A lease is a key with an expiry that is set only if it does not exist.

    <prefix>:<cluster>:lease:{<name>}    the holder; Redis removes the key when the lease ends
    <prefix>:<cluster>:fence:{<name>}    the last fencing number: Redis's clock in ms, or one more than the last number

Redis may lose a lease: if it is restarted without its data, or if a replica becomes the master that had not received
the lease. Then the holder may believe for `ttl_s` that it still has the lease. So a process that knew the lost data
does not acquire the lease for that long, unless it is the holder itself. A process that has just started does not know;
the fencing number, which grows by the clock, separates it from the holder.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ringway.core.fencing_number import CLOCK_AHEAD_S, IMPOSSIBLE, check_fence
from ringway.engine.redis import script
from ringway.engine.redis.connection import RedisConnections
from ringway.engine.redis.names import Names
from ringway.errors import EngineAway, EngineError, EngineUnsuitable
from ringway.logger import get_logger

ANSWER_S = 3.0
"""The deadline of Redis's answer."""


_log = get_logger()


@dataclass(slots=True)
class _KnownLease:
    """The knowledge of this process about a lease."""

    lineage: bytes
    """The lineage of the server's data when the lease was last used."""
    holder: str = ""
    """The holder for which this process acquired the lease."""
    free_at: float = 0.0
    """The time from which a new holder may acquire the lease."""


class RedisLease:
    """Leases with fencing numbers, stored by Redis."""

    def __init__(
        self,
        connections: RedisConnections,
        names: Names,
        now: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._connections = connections
        self._names = names
        self._now = now
        self._wall = wall
        self._known: dict[str, _KnownLease] = {}

    async def acquire(self, name: str, holder: str, ttl_s: float) -> int | None:
        """Return a fencing number, or None. It never waits for a lease to end: try again about once a second."""
        key = self._names.of("lease", name)
        known = self._update_known(name, key, ttl_s)
        if known.holder != holder and self._now() < known.free_at:
            return None
        keys = key, self._names.of("fence", name)
        fence_max = _ms(self._wall() + CLOCK_AHEAD_S)
        granted = await self._execute(key, script.acquire(keys, holder, _ms(ttl_s), fence_max))
        if granted is None:
            known.holder = ""
            return None
        fence, *impossible = granted
        if impossible:
            _log.warning(IMPOSSIBLE, lease=name, number=impossible[0].decode(errors="replace"))
        await self._check(name, holder, int(fence), fence_max)
        known.holder = holder
        return int(fence)

    async def renew(self, name: str, holder: str, ttl_s: float) -> bool:
        """Begin a new `ttl_s`; return False if `holder` has lost the lease. After `EngineAway` it is unknown."""
        key = self._names.of("lease", name)
        known = self._update_known(name, key, ttl_s)
        return bool(await self._execute(key, script.renew((key,), holder, _ms(ttl_s)))) and known.holder == holder

    async def release(self, name: str, holder: str) -> None:
        """Remove the key if `holder` still has the lease. A failure of Redis is ignored: then the lease runs out."""
        self._known.pop(name, None)
        key = self._names.of("lease", name)
        with suppress(EngineError):
            await self._execute(key, script.renew((key,), holder, 0))

    async def _check(self, name: str, holder: str, fence: int, fence_max: int) -> None:
        """Give the lease up again and raise `EngineUnsuitable` if its number cannot be one of today."""
        try:
            check_fence(name, fence, fence_max)
        except EngineUnsuitable:
            await self.release(name, holder)
            raise

    def _update_known(self, name: str, key: bytes, ttl_s: float) -> _KnownLease:
        lineage = self._connections.shard_of(key).lineage
        known = self._known.setdefault(name, _KnownLease(lineage))
        if known.lineage != lineage:
            known.lineage = lineage
            known.free_at = self._now() + ttl_s
        return known

    async def _execute(self, key: bytes, command: bytes) -> Any:
        try:
            with self._connections.condition.watch_service("leases"):
                async with asyncio.timeout(ANSWER_S):
                    return await self._connections.execute(key, command)
        except TimeoutError:
            raise EngineAway(f"Redis did not answer for the leases within {ANSWER_S:g} s") from None


def _ms(seconds: float) -> int:
    return max(1, int(seconds * 1000))
