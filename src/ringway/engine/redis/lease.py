"""Leases in Redis; see `ports.Lease`. A key with an expiry, set only where it is missing.

    <prefix>:<cluster>:lease:{<name>}    who holds it; Redis removes it when its time is over
    <prefix>:<cluster>:fence:{<name>}    the last fencing number: Redis's clock in ms, or one more than the last

Redis may lose a lease: where it begins anew without its data, or where a replica is made the master that had not heard
of it. Then its holder may believe for `ttl_s` that it still has it. Who knew the lost data therefore leaves the lease
alone for that long, but for the holder itself; who has just come and does not know is kept apart from the holder by the
fencing number, which grows by the clock.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ringway.engine.redis import script
from ringway.engine.redis.connection import Wire
from ringway.engine.redis.names import Names
from ringway.errors import EngineAway, EngineError

ANSWER_S = 3.0
"""How long Redis may take to answer."""


@dataclass(slots=True)
class _Known:
    """What this process knows of a lease: the line of data it was in, whose it was by us, and from when it is free."""

    line: bytes
    holder: str = ""
    free_at: float = 0.0


class RedisLease:
    """Leases with fencing numbers, kept by Redis."""

    def __init__(self, wire: Wire, names: Names, now: Callable[[], float] = time.monotonic) -> None:
        self._wire = wire
        self._names = names
        self._now = now
        self._known: dict[str, _Known] = {}

    async def acquire(self, name: str, holder: str, ttl_s: float) -> int | None:
        """Return a fencing number, or None. Ask again about each second; it never waits for a lease to end."""
        key = self._names.of("lease", name)
        known = self._look(name, key, ttl_s)
        if known.holder != holder and self._now() < known.free_at:
            return None
        keys = key, self._names.of("fence", name)
        fence = await self._ask(key, script.acquire(keys, holder, _ms(ttl_s)))
        if fence is None:
            known.holder = ""
            return None
        known.holder = holder
        return int(fence)

    async def renew(self, name: str, holder: str, ttl_s: float) -> bool:
        """Begin a new `ttl_s`; False where another has the lease, or nobody. After `EngineAway` nobody knows."""
        key = self._names.of("lease", name)
        known = self._look(name, key, ttl_s)
        return bool(await self._ask(key, script.renew((key,), holder, _ms(ttl_s)))) and known.holder == holder

    async def release(self, name: str, holder: str) -> None:
        """Remove the key where it is still ours. Quiet while Redis is away: then the lease runs out."""
        self._known.pop(name, None)
        key = self._names.of("lease", name)
        with suppress(EngineError):
            await self._ask(key, script.renew((key,), holder, 0))

    def _look(self, name: str, key: bytes, ttl_s: float) -> _Known:
        line = self._wire.shard_of(key).line
        known = self._known.setdefault(name, _Known(line))
        if known.line != line:
            known.line = line
            known.free_at = self._now() + ttl_s
        return known

    async def _ask(self, key: bytes, command: bytes) -> Any:
        try:
            with self._wire.condition.watch_service("leases"):
                async with asyncio.timeout(ANSWER_S):
                    return await self._wire.ask(key, command)
        except TimeoutError:
            raise EngineAway(f"Redis did not answer for the leases within {ANSWER_S:g} s") from None


def _ms(seconds: float) -> int:
    return max(1, int(seconds * 1000))
