"""Leases of the memory engine, by the engine's clock; see `ports.Lease`."""

from dataclasses import dataclass, field

from ringway.engine.memory.connection import MemoryConnection


@dataclass(slots=True)
class _Held:
    """The holder of a lease, and when the lease ends."""

    holder: str
    until: float


@dataclass(slots=True)
class MemoryLeases:
    """The leases of an engine, shared by all members, and the last fencing number of all names."""

    held: dict[str, _Held] = field(default_factory=dict)
    fence: int = 0


class MemoryLease:
    """A member's leases."""

    def __init__(self, connection: MemoryConnection, leases: MemoryLeases) -> None:
        self._connection = connection
        self._leases = leases

    async def acquire(self, name: str, holder: str, ttl_s: float) -> int | None:
        """Return the next fencing number if the lease is free, has ended, or is held by `holder` itself."""
        self._connection.require()
        now = self._connection.now()
        held = self._leases.held.get(name)
        if held is not None and held.holder != holder and now < held.until:
            return None
        self._leases.held[name] = _Held(holder, now + ttl_s)
        self._leases.fence += 1
        return self._leases.fence

    async def renew(self, name: str, holder: str, ttl_s: float) -> bool:
        """Begin a new `ttl_s`; return False if a different holder acquired the lease."""
        self._connection.require()
        held = self._leases.held.get(name)
        if held is None or held.holder != holder:
            return False
        held.until = self._connection.now() + ttl_s
        return True

    async def release(self, name: str, holder: str) -> None:
        """Free the lease at once. While the engine is away, the lease is left to run out."""
        held = self._leases.held.get(name)
        if held is not None and held.holder == holder and not self._connection.away:
            del self._leases.held[name]
