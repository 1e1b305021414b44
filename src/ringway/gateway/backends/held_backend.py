"""The connections of this gateway at one backend: the gateway is their holder, on behalf of a server without Ringway.

The duties of a member are those of `ringway.member`, over the port `Holder`: orders of the leading balancer, drains by
a deadline, the choice of connections to move, and the count of misplaced keys. The gateway reports for all its backends
at once (`gateway.backends.holding`).
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Protocol

from ringway.core.load import NodeLoad
from ringway.core.move_candidates import is_cooling
from ringway.gateway.proxy.relay import Relay
from ringway.member.drain import Drain
from ringway.member.feed import Feed
from ringway.member.holder import CloseCause, HolderCounts, HolderMeasures
from ringway.member.key_counts import KeyCounts
from ringway.member.orders import OrderHandler
from ringway.member.selection import MoveSelection
from ringway.member.sent_moves import SentMoves
from ringway.ports import Bus
from ringway.protocol.backend_share import BackendShare
from ringway.protocol.group import DEFAULT
from ringway.protocol.order import held_address, node_address
from ringway.protocol.report import group_of
from ringway.types import Incarnation, Issuer, NodeName, NodeState


class RelayMoves(Protocol):
    """The requirements of a held backend on the gateway's relays."""

    def relays_at(self, incarnation: Incarnation) -> list[Relay]:
        """Return the relays at one backend, the oldest first."""
        ...

    def count_at(self, incarnation: Incarnation) -> tuple[int, int]:
        """Return how many relays are at one backend, and how many of them are being moved away or were closed."""
        ...

    def why_not(self, donor: NodeName, target: NodeName) -> str:
        """Return why no connection of `donor` may go to `target`; empty if moves are allowed."""
        ...

    async def send_off(self, relay: Relay, target: NodeName) -> None:
        """Begin to move `relay` to the backend `target`; does nothing if it may not leave."""
        ...

    def close_drained(self, relay: Relay) -> None:
        """Close `relay` at the deadline of a drain, so that its client comes back elsewhere."""
        ...

    async def wait_none_at(self, incarnation: Incarnation) -> None:
        """Return when no relay is at one backend."""
        ...

    def requests_at(self, incarnation: Incarnation) -> int:
        """Return how many plain requests are under way at one backend."""
        ...

    def sessions_at(self, incarnation: Incarnation) -> int:
        """Return how many sessions of plain HTTP, counted here, are at one backend."""
        ...

    def cut_requests_at(self, incarnation: Incarnation) -> None:
        """End the plain requests and sessions at one backend."""
        ...


@dataclass(frozen=True, slots=True)
class HoldingSettings:
    """The choice of connections to move; as the settings of a node with the same names."""

    cool_down_s: float
    idle_after_s: float
    oldest_first: bool
    grouped: bool = True  # False: all backends are in the default group


@dataclass(frozen=True, slots=True)
class HoldingParts:
    """The common parts of a gateway's shares of all backends. `clock` is monotonic.

    `issuer` is the gateway as the holder of places at backends.
    """

    gateway: NodeName
    issuer: Issuer
    relays: RelayMoves
    settings: HoldingSettings
    bus: Bus
    feed: Feed
    ring_secret: bytes
    clock: Callable[[], float]
    rng: Random


@dataclass(slots=True)
class Outcomes:
    """Counters of the outcomes of moves to a backend."""

    handed_over: int = 0
    reconnected: int = 0
    lost: int = 0


class HeldBackend:
    """This gateway's share of the backend `node`. It is a `Holder` of relays."""

    def __init__(self, node: NodeLoad, parts: HoldingParts) -> None:
        settings, clock, relays = parts.settings, parts.clock, parts.relays
        name = self.name = node.name
        self.incarnation = node.incarnation
        self.version = 0  # the version of the state
        self.accepted = 0
        self.taken = 0  # connections that came to places of this gateway
        self.outcomes = Outcomes()
        self.drain = Drain(settings.cool_down_s)
        self.sent = SentMoves(clock)
        self._idle: tuple[object, BackendShare] | None = None  # the last share without connections, and its facts
        self._issuer = parts.issuer
        self._relays = relays
        self._clock = clock
        selection = MoveSelection(
            name, self, self.drain, parts.ring_secret,
            idle_after_s=settings.idle_after_s, oldest_first=settings.oldest_first, clock=clock,
        )  # fmt: skip
        group = group_of(node.report) if node.report is not None else DEFAULT
        self._keys = KeyCounts(
            parts.bus, parts.feed, selection, self.sent, clock, parts.rng,
            lambda leader: leader.group_owners.get(group, ""),
        )  # fmt: skip
        self._orders = OrderHandler(
            name, parts.bus, self, selection, self.drain, clock, self._keys.owners,
            addresses=(node_address(name), held_address(parts.gateway, name)), on_state=self._on_ordered_state,
            why_not=lambda target: relays.why_not(name, target),
        )  # fmt: skip

    async def start(self) -> None:
        """Carry out orders from now on."""
        await self._orders.start()

    async def stop(self) -> None:
        """Stop carrying out orders."""
        await self._keys.stop()
        await self._orders.stop()

    def tick(self) -> None:
        """Let time pass; call it every `membership.TICK_S`."""
        self.sent.tick()
        self._keys.tick()
        now = self._clock()
        self.drain.tick(now, self)
        if self.drain.is_overdue(now):
            self._relays.cut_requests_at(self.incarnation)

    def set_state(self, *, draining: bool, within_s: float) -> None:
        """Drain within `within_s` seconds (0: no deadline), or get newcomers again, as a source of this gateway
        demands."""
        self.drain.set_state(draining=draining, within_s=within_s, now=self._clock())
        self.version += 1

    def follow_state(self, share: BackendShare) -> None:
        """Follow the state that a different gateway reports, if it is newer than this gateway's."""
        draining = share.state is NodeState.DRAINING
        drains = self.drain.state is NodeState.DRAINING
        if share.version < self.version or (share.version == self.version and (drains or not draining)):
            return
        self.drain.set_state(draining=draining, within_s=share.drain_left_s, now=self._clock(), avoid=share.drain_avoid)
        self.version = share.version

    def count_arrival(self, *, held: bool) -> None:
        """Count a connection that was opened here; `held` if this gateway held its place."""
        self.accepted += 1
        self.taken += held

    def share(self) -> BackendShare:
        """Return the share to report; the same object as before while there is nothing to report."""
        outcomes, sent = self.outcomes, self.sent
        relays, _ = self._relays.count_at(self.incarnation)
        carried = relays + self._relays.requests_at(self.incarnation) + self._relays.sessions_at(self.incarnation)
        drains = self.drain.state is not NodeState.ACTIVE
        if carried or sent.moved or sent.ledger.held() or self._keys.counted or drains:
            return self._make_share()
        facts = (
            self.version, self.accepted, self.taken, sent.missed, outcomes.handed_over, outcomes.reconnected,
            outcomes.lost,
        )  # fmt: skip
        if self._idle is None or self._idle[0] != facts:
            self._idle = facts, self._make_share()
        return self._idle[1]

    def _make_share(self) -> BackendShare:
        now, drain, counts = self._clock(), self.drain, self.counts()
        return BackendShare(
            incarnation=self.incarnation,
            version=self.version,
            state=drain.state,
            drain_left_s=round(drain.left_s(now), 3),
            drain_avoid=drain.avoid,
            connections=counts.connected,
            leaving=counts.open - counts.connected,
            cooling=self.measures(now, drain.cool_down_s).cooling,
            accepted=self.accepted,
            taken={self._issuer: self.taken} if self.taken else {},
            moved=dict(self.sent.moved),
            reserved=self.sent.ledger.held(),
            missed=self.sent.missed,
            counted=self._keys.counted,
            misplaced=self._keys.misplaced(),
            handed_over=self.outcomes.handed_over,
            reconnected=self.outcomes.reconnected,
            lost=self.outcomes.lost,
        )

    # The holder (`member.holder.Holder`).

    def counts(self) -> HolderCounts:
        """Return the counts of this moment; a relay that is being moved, or was closed, counts as gone, and so does a
        plain request, which ends by itself. A session of plain HTTP is a client that stays."""
        relays, moving = self._relays.count_at(self.incarnation)
        requests = self._relays.requests_at(self.incarnation)
        stay = relays + self._relays.sessions_at(self.incarnation)
        return HolderCounts(connected=stay - moving, pending=0, open=stay + requests)

    def measures(self, now: float, cool_down_s: float) -> HolderMeasures:
        """Return the arrivals, and the number of connections that may not be moved now; other measures do not exist
        here."""
        cooling = sum(
            is_cooling(relay.moved_at, now, cool_down_s)
            for relay in self._relays.relays_at(self.incarnation)
            if relay.moved_at is not None
        )
        cooling += self._relays.sessions_at(self.incarnation)  # they cannot be moved
        return HolderMeasures(cooling=cooling, sockets=self.accepted, accepted=self.accepted)

    def usable_connections(self) -> list[Relay]:
        """Return all relays that are usable, the oldest first."""
        return [relay for relay in self._relays.relays_at(self.incarnation) if relay.is_usable]

    async def send_off(self, connection: Relay, target: NodeName, clock_s: float = 0.0) -> None:
        """Begin to move `connection` to `target`; backends know no tickets, so clocks do not matter."""
        await self._relays.send_off(connection, target)

    def close_connection(self, connection: Relay, cause: CloseCause) -> None:
        """Begin to close `connection`, so that its client learns of it."""
        self._relays.close_drained(connection)

    async def cut_rest(self, within_s: float) -> None:
        """Wait up to `within_s` for the relays to end, cut the rest, and return when all have ended."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._relays.wait_none_at(self.incarnation)
        for relay in self._relays.relays_at(self.incarnation):
            relay.abort()
        await self._relays.wait_none_at(self.incarnation)

    def _on_ordered_state(self) -> None:
        self.version += 1
