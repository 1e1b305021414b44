"""The engine of one process: members share a `MemoryHub`. For single-process use and deterministic tests.

Delivery is by `loop.call_soon`, in the order of publication; nothing else decides an order. Leases are
judged by the clock that the hub is given. `hub.away = True` makes the engine unreachable for every member
until it is set to False again, and `hub.lose_data()` makes it forget what it has stored.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from ringway.engine.memory.history import MemoryHistory, Namespace
from ringway.engine.request_handler import Work
from ringway.errors import EngineAway, NoAnswer
from ringway.ports import Deliver, Handler, Heard
from ringway.types import Channel, NodeName


@dataclass
class _Held:
    """Who holds a lease, and until when."""

    holder: str
    until: float


@dataclass
class _Gathered:
    """The answers to one request, as they arrive."""

    wanted: int
    answers: list[bytes] = field(default_factory=list)
    refusals: list[bytes] = field(default_factory=list)
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, answered: bool, answer: bytes) -> None:
        (self.answers if answered else self.refusals).append(answer)
        if len(self.answers) + len(self.refusals) >= self.wanted:
            self.done.set()


class MemoryHub:
    """What the members of one process share; `open` makes a member."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.now = now
        self.members: list[MemoryEngine] = []
        self.served: dict[str, list[Work]] = {}
        self.leases: dict[str, _Held] = {}
        self.fence = 0
        self.namespaces: dict[str, Namespace] = {}
        self._away = False

    def open(self) -> "MemoryEngine":
        """Return a new member; close it when done."""
        member = MemoryEngine(self)
        self.members.append(member)
        return member

    @property
    def away(self) -> bool:
        """Whether the engine plays unreachable. On return, every member announces its last reports again."""
        return self._away

    @away.setter
    def away(self, away: bool) -> None:
        returns = self._away and not away
        self._away = away
        if returns:
            for member in self.members:
                member.registry.announce_again()
            for member in self.members:
                for returned in member.on_return:
                    returned()

    def lose_data(self) -> None:
        """Forget all history, as a server does that stores in memory and starts anew: epochs change."""
        self.namespaces.clear()

    def require(self) -> None:
        """Raise `EngineAway` while the engine is away."""
        if self._away:
            raise EngineAway("the memory engine is away")


class MemoryBroker:
    """Publications between the members of a hub; see `ports.Broker`."""

    def __init__(self, hub: MemoryHub) -> None:
        self._hub = hub
        self._deliver: Deliver | None = None
        self._channels: set[Channel] = set()

    def attach(self, deliver: Deliver) -> None:
        """Deliver to `deliver`, in the event loop, one call a publication."""
        self._deliver = deliver

    async def publish(self, channel: Channel, payload: bytes) -> None:
        """Hand `payload` to every subscribed member's next loop turn."""
        self._hub.require()
        self.send(channel, payload, 0, 0)

    def send(self, channel: Channel, payload: bytes, offset: int, previous: int) -> None:
        """Hand a publication to every subscribed member's next loop turn, with its place where it is kept."""
        loop = asyncio.get_running_loop()
        for member in self._hub.members:
            if channel in member.broker._channels:
                loop.call_soon(member.broker._arrived, channel, payload, offset, previous)

    def _arrived(self, channel: Channel, payload: bytes, offset: int, previous: int) -> None:
        # Asked again: it may have been unsubscribed since the publication set out.
        if channel in self._channels and self._deliver is not None:
            self._deliver(channel, payload, offset, previous)

    async def subscribe(self, channel: Channel) -> None:
        """Deliver what is published from now on."""
        self._hub.require()
        self._channels.add(channel)

    async def unsubscribe(self, channel: Channel) -> None:
        """Deliver nothing more, what is on its way included."""
        self._channels.discard(channel)

    def close(self) -> None:
        """Deliver nothing more."""
        self._channels.clear()


class MemoryRegistry:
    """Reports between the members of a hub; see `ports.Registry`."""

    def __init__(self, hub: MemoryHub) -> None:
        self._hub = hub
        self._heard: Heard | None = None
        self._mine: dict[NodeName, bytes] = {}

    async def announce(self, member: NodeName, report: bytes) -> None:
        """Tell every watching member, and remember the report for newcomers."""
        self._mine[member] = report
        self._tell(member, report)

    async def withdraw(self, member: NodeName) -> None:
        """Tell every watching member that `member` leaves, where it was announced."""
        if self._mine.pop(member, None) is not None:
            self._tell(member, None)

    async def watch(self, heard: Heard) -> None:
        """Send every report to `heard`, beginning with the last of each member."""
        self._heard = heard
        if self._hub.away:
            return
        loop = asyncio.get_running_loop()
        for other in self._hub.members:
            for member, report in other.registry._mine.items():
                loop.call_soon(self._hear, member, report)

    def announce_again(self) -> None:
        """Tell the last reports once more: the engine has been away."""
        for member, report in self._mine.items():
            self._tell(member, report)

    def _tell(self, member: NodeName, report: bytes | None) -> None:
        if self._hub.away:
            return
        loop = asyncio.get_running_loop()
        for other in self._hub.members:
            if other.registry._heard is not None:
                loop.call_soon(other.registry._hear, member, report)

    def _hear(self, member: NodeName, report: bytes | None) -> None:
        if self._heard is not None:
            self._heard(member, report)

    def close(self) -> None:
        """Fall silent and deaf, without a withdrawal."""
        self._mine.clear()
        self._heard = None


class MemoryServing:
    """An address served in this process; see `ports.Serving`."""

    def __init__(self, hub: MemoryHub, address: str, handler: Handler) -> None:
        self._served = hub.served
        self._address = address
        self._work = Work(address, handler)
        self._served.setdefault(address, []).append(self._work)

    async def close(self) -> None:
        """Serve the address no more; requests in work are waited for."""
        servers = self._served.get(self._address, [])
        if self._work in servers:
            servers.remove(self._work)
        if not servers:
            self._served.pop(self._address, None)
        await self._work.close()


class MemoryBus:
    """Calls between the members of a hub; see `ports.Bus`."""

    def __init__(self, hub: MemoryHub) -> None:
        self._hub = hub
        self._servings: list[MemoryServing] = []

    async def serve(self, address: str, handler: Handler) -> MemoryServing:
        """Answer requests of every member, this one's included."""
        serving = MemoryServing(self._hub, address, handler)
        self._servings.append(serving)
        return serving

    async def call(self, address: str, request: bytes, *, timeout_s: float) -> bytes:
        """Return the answer of the server that has served `address` longest."""
        servers = self._hub.served.get(address, [])[:1]
        gathered = await self._ask(servers, request, timeout_s, 1)
        if not servers:
            raise NoAnswer(f"nobody serves {address}")
        if gathered.refusals:
            raise NoAnswer(f"{address} failed to answer: {gathered.refusals[0].decode(errors='replace')}")
        if not gathered.answers:
            raise NoAnswer(f"{address} did not answer within {timeout_s} s")
        return gathered.answers[0]

    async def gather(self, address: str, request: bytes, *, timeout_s: float, expected: int = 0) -> list[bytes]:
        """Return what all servers answer; with `expected` 0 as soon as all have."""
        gathered = await self._ask(self._hub.served.get(address, []), request, timeout_s, expected)
        return gathered.answers

    async def _ask(self, servers: list[Work], request: bytes, timeout_s: float, expected: int) -> _Gathered:
        self._hub.require()
        gathered = _Gathered(min(expected or len(servers), len(servers)))
        for server in servers:
            server.take(request, gathered.take)
        if servers:
            with suppress(TimeoutError):
                await asyncio.wait_for(gathered.done.wait(), timeout_s)
        return gathered

    async def close(self) -> None:
        """Serve nothing more."""
        await asyncio.gather(*(serving.close() for serving in self._servings))


class MemoryLease:
    """Leases among the members of a hub, by the hub's clock; see `ports.Lease`."""

    def __init__(self, hub: MemoryHub) -> None:
        self._hub = hub

    async def acquire(self, name: str, holder: str, ttl_s: float) -> int | None:
        """Return the next fencing number where the lease is free, over, or held by `holder` itself."""
        self._hub.require()
        held = self._hub.leases.get(name)
        if held is not None and held.holder != holder and self._hub.now() < held.until:
            return None
        self._hub.leases[name] = _Held(holder, self._hub.now() + ttl_s)
        self._hub.fence += 1
        return self._hub.fence

    async def renew(self, name: str, holder: str, ttl_s: float) -> bool:
        """Begin a new `ttl_s`; False where another took the lease."""
        self._hub.require()
        held = self._hub.leases.get(name)
        if held is None or held.holder != holder:
            return False
        held.until = self._hub.now() + ttl_s
        return True

    async def release(self, name: str, holder: str) -> None:
        """Free the lease at once; while away it is left to run out."""
        held = self._hub.leases.get(name)
        if held is not None and held.holder == holder and not self._hub.away:
            del self._hub.leases[name]


class MemoryEngine:
    """One member of a `MemoryHub`; see `ports.Engine`."""

    def __init__(self, hub: MemoryHub) -> None:
        self._hub = hub
        self.on_return: list[Callable[[], None]] = []
        self.broker = MemoryBroker(hub)
        self.history = MemoryHistory(hub.namespaces, hub.now, hub.require, self.broker.send)
        self.registry = MemoryRegistry(hub)
        self.bus = MemoryBus(hub)
        self.lease = MemoryLease(hub)

    @property
    def problem(self) -> str:
        """What is wrong; only that the engine was closed can be."""
        return "" if self.up else "the engine cannot be reached"

    @property
    def up(self) -> bool:
        """Whether this member is open, and the hub not away."""
        return self in self._hub.members and not self._hub.away

    async def close(self) -> None:
        """Leave the hub; what is served ends, leases are left to run out."""
        if self in self._hub.members:
            self._hub.members.remove(self)
        self.broker.close()
        self.registry.close()
        await self.bus.close()
