"""Engine of one process, whose members share a `MemoryHub`. For single-process use and deterministic tests.

Publications are delivered in the order in which they were published, and leases are judged by the hub's clock.
`hub.away = True` makes the engine unreachable for every member until it is set to False again, and `hub.lose_data()`
makes it forget its history.
"""

import time
from collections.abc import Callable

from ringway.engine.memory.broker import MemoryBroker
from ringway.engine.memory.bus import MemoryBus, Served
from ringway.engine.memory.connection import MemoryConnection
from ringway.engine.memory.history import MemoryHistory, StoredNamespace
from ringway.engine.memory.lease import MemoryLease, MemoryLeases
from ringway.engine.memory.registry import MemoryRegistry


class MemoryHub:
    """All that the members of one process share; `open` makes a member. `now` is the clock, in seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.connection = MemoryConnection(now)
        self.members: list[MemoryEngine] = []
        self.brokers: list[MemoryBroker] = []
        self.registries: list[MemoryRegistry] = []
        self.served: Served = {}
        self.leases = MemoryLeases()
        self.namespaces: dict[str, StoredNamespace] = {}

    def open(self) -> "MemoryEngine":
        """Return a new member; close it when done."""
        member = MemoryEngine(self)
        self.members.append(member)
        return member

    @property
    def away(self) -> bool:
        """True while the engine simulates an outage. On its return, every member announces its last reports again."""
        return self.connection.away

    @away.setter
    def away(self, away: bool) -> None:
        returns = self.connection.away and not away
        self.connection.away = away
        if returns:
            for member in self.members:
                member.registry.on_return()
            for member in self.members:
                for on_return in member.on_return:
                    on_return()

    def lose_data(self) -> None:
        """Forget all history, as a server does that stores in memory and is restarted: epochs change."""
        self.namespaces.clear()


class MemoryEngine:
    """One member of a `MemoryHub`; see `ports.Engine`."""

    def __init__(self, hub: MemoryHub) -> None:
        self._hub = hub
        self.on_return: list[Callable[[], None]] = []
        self.broker = MemoryBroker(hub.connection, hub.brokers)
        self.history = MemoryHistory(hub.connection, hub.namespaces, self.broker.send)
        self.registry = MemoryRegistry(hub.connection, hub.registries)
        self.bus = MemoryBus(hub.connection, hub.served)
        self.lease = MemoryLease(hub.connection, hub.leases)

    @property
    def problem(self) -> str:
        """The problem of the engine; empty while it is up."""
        return "" if self.up else "the engine cannot be reached"

    @property
    def up(self) -> bool:
        """True if this member is open, and the hub is not away."""
        return self in self._hub.members and not self._hub.away

    async def close(self) -> None:
        """Leave the hub: served addresses end, and leases run out."""
        if self in self._hub.members:
            self._hub.members.remove(self)
        self.broker.close()
        self.registry.close()
        await self.bus.close()
