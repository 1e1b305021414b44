"""Moves of the relays at backends, as the holder of the backends begins them (`held_backend.RelayMoves`).

A relay that may be reopened goes to its target at a quiet moment. A client that must be closed is expected by all
gateways before it is told to come back: then it gets the place that is held for it, at any gateway.
Promises are under way side by side, so that one message tells the other gateways of many clients.
"""

import asyncio
from collections.abc import Callable
from math import inf
from typing import Protocol

from ringway.core.group import Groups
from ringway.core.load import NodeLoad
from ringway.gateway.backends.expectations import Expectations
from ringway.gateway.proxy.relay import Relay
from ringway.gateway.proxy.relays import Relays
from ringway.gateway.proxy.send_off import SendOff
from ringway.protocol.backend import OnMove
from ringway.tasks import Tasks
from ringway.types import Incarnation, NodeName, NodeState

DRAIN_SHARE = 0.8
"""The part of the time that a drain has left in which a connection waits for its quiet moment."""

COME_S = 10.0
"""The time in which a client that was told to come back is expected, as the time of a ticket."""

PROMISES_MAX = 1000
"""Promises that may be under way at one time; further moves wait."""


class MoveLedger(Protocol):
    """The reports of moves to the holder of the backends (`gateway.backends.holding`)."""

    def on_sent(self, donor: NodeLoad, target: NodeName, ttl_s: float) -> None:
        """Count a move, and hold a place at the target for up to `ttl_s`."""
        ...

    def release(self, donor: NodeName, target: NodeName) -> None:
        """Release the place of a move."""
        ...

    def on_outcome(self, target: NodeName, outcome: str) -> None:
        """Count the outcome of a move."""
        ...


class RequestsAt(Protocol):
    """The plain requests under way at backends (`gateway.exchange.exchanges`)."""

    def count_at(self, incarnation: Incarnation) -> int:
        """Return how many are at one backend."""
        ...

    def sessions_at(self, incarnation: Incarnation) -> int:
        """Return how many sessions that began here are at one backend."""
        ...

    def cut_at(self, incarnation: Incarnation) -> None:
        """End those at one backend, and its sessions."""
        ...


class BackendMoves:
    """The moves of one gateway's relays at backends. `quiet_s` is the longest wait for a quiet moment."""

    def __init__(
        self,
        relays: Relays,
        groups: Groups,
        expectations: Expectations,
        ledger: Callable[[], MoveLedger],
        quiet_s: float,
        requests: RequestsAt,
    ) -> None:
        self._requests = requests
        self._relays = relays
        self._groups = groups
        self._expectations = expectations
        self._ledger = ledger
        self._quiet_s = quiet_s
        self._leaving: dict[Incarnation, set[Relay]] = {}
        self._slots = asyncio.Semaphore(PROMISES_MAX)
        self._tasks = Tasks()

    async def stop(self) -> None:
        """Give up the promises under way: their clients stay."""
        await self._tasks.aclose()

    def relays_at(self, incarnation: Incarnation) -> list[Relay]:
        """Return the relays at one backend, the oldest first."""
        return self._relays.table.relays_at(incarnation)

    def count_at(self, incarnation: Incarnation) -> tuple[int, int]:
        """Return how many relays are at one backend, and how many of them are being moved away or were closed."""
        leaving = self._leaving.get(incarnation)
        if leaving:
            node_of = self._relays.table.node_of
            leaving = {
                relay
                for relay in leaving
                if (relay.is_moving or not relay.is_usable)  # a client that was told to leave is about to end
                and (node := node_of(relay)) is not None
                and node.incarnation == incarnation
            }
            if leaving:
                self._leaving[incarnation] = leaving
            else:
                del self._leaving[incarnation]
        return self._relays.table.count_at(incarnation), len(leaving) if leaving else 0

    def why_not(self, donor: NodeName, target: NodeName) -> str:
        """Return why no connection of `donor` may go to `target`: it is in a different group. Empty if moves are
        allowed."""
        here, there = self._groups.at(donor), self._groups.at(target)
        if here is there or here is None or there is None:  # an unknown target is judged when it is needed
            return ""
        return (
            f"the order's target {target} is in group {there.name}, and {donor} in group {here.name}; connections stay "
            "in their group: give all gateways the same routes and sources"
        )

    async def send_off(self, relay: Relay, target: NodeName) -> None:
        """Begin to move `relay` to the backend `target`; wait while too many promises are under way.

        Does nothing if the relay may not leave.
        """
        donor, node = self._relays.table.node_of(relay), self._groups.nodes.get(target)
        if donor is None or node is None or not relay.may_leave:
            return
        group = self._groups.at(target)
        if group is None or group is not self._groups.at(donor.name):  # no client leaves its group
            return
        if relay.on_move is OnMove.REOPEN:
            self._reopen(relay, donor, node)
        else:
            await self._close(relay, donor, node, group.name)

    def close_drained(self, relay: Relay) -> None:
        """Close `relay` at the deadline of a drain, so that its client comes back elsewhere."""
        if (node := self._relays.table.node_of(relay)) is not None:
            self._leaving.setdefault(node.incarnation, set()).add(relay)
        self._relays.close_drained(relay)

    def requests_at(self, incarnation: Incarnation) -> int:
        """Return how many plain requests are under way at one backend."""
        return self._requests.count_at(incarnation)

    def sessions_at(self, incarnation: Incarnation) -> int:
        """Return how many sessions of plain HTTP, counted here, are at one backend."""
        return self._requests.sessions_at(incarnation)

    def cut_requests_at(self, incarnation: Incarnation) -> None:
        """End the plain requests that are under way at one backend, whose drain is over."""
        self._requests.cut_at(incarnation)

    async def wait_none_at(self, incarnation: Incarnation) -> None:
        """Return when no relay is at one backend."""
        await self._relays.table.wait_none_at(incarnation)

    def _reopen(self, relay: Relay, donor: NodeLoad, target: NodeLoad) -> None:
        ledger = self._ledger()
        if self._relays.send_off(
            relay,
            SendOff(
                target, _Reopening(ledger, donor, target), self._wanted(donor, target), within_s=_time_to_leave_s(donor)
            ),
        ):
            ledger.on_sent(donor, target.name, self._quiet_s + COME_S)
            self._leaving.setdefault(donor.incarnation, set()).add(relay)

    async def _close(self, relay: Relay, donor: NodeLoad, target: NodeLoad, group: str) -> None:
        """Begin to promise the client a place; it is told to come back when all gateways know of that."""
        await self._slots.acquire()
        if not relay.may_leave:
            self._slots.release()
            return
        relay.is_promised = True
        self._ledger().on_sent(donor, target.name, self._quiet_s + COME_S)
        self._leaving.setdefault(donor.incarnation, set()).add(relay)
        wanted = self._wanted(donor, target)
        task = self._tasks.spawn(self._promise(relay, donor, target, group, wanted), name="promise of a place")
        task.add_done_callback(lambda _: self._slots.release())

    async def _promise(
        self, relay: Relay, donor: NodeLoad, target: NodeLoad, group: str, wanted: Callable[[], bool]
    ) -> None:
        expectations, ttl_s = self._expectations, self._quiet_s + COME_S
        try:
            promise = await expectations.expect(relay.key, relay.address, group, donor.name, target.name, ttl_s)
        finally:
            relay.is_promised = False
        events = _Closing(self._ledger(), target.name, lambda: expectations.give_up(promise))
        if not self._relays.send_off(relay, SendOff(target, events, wanted, within_s=_time_to_leave_s(donor))):
            expectations.give_up(promise)

    def _wanted(self, donor: NodeLoad, target: NodeLoad) -> Callable[[], bool]:
        """Return a function that returns True while a move is wanted: the target accepts clients, and the drain
        continues."""
        drains, nodes = donor.state is NodeState.DRAINING, self._groups.nodes

        def wanted() -> bool:
            still_drains = not drains or donor.state is NodeState.DRAINING
            return still_drains and target.eligible and nodes.get(target.name) is target

        return wanted


def _time_to_leave_s(donor: NodeLoad) -> float:
    """Return how long a connection may wait for a quiet moment: it leaves before the deadline of a drain closes it."""
    left_s = donor.report.drain_left_s if donor.report is not None else 0.0
    return DRAIN_SHARE * left_s if left_s else inf


class _Reopening:
    """The outcome of a move that the client does not notice."""

    def __init__(self, ledger: MoveLedger, donor: NodeLoad, target: NodeLoad) -> None:
        self._ledger = ledger
        self._donor = donor
        self._target = target

    def on_arrived(self, relay: Relay, node: NodeLoad) -> None:
        self._ledger.release(self._donor.name, self._target.name)
        self._ledger.on_outcome(node.name, "handed_over")

    def on_sent(self, relay: Relay) -> None:
        """Not called: this client is not closed."""

    def on_failed(self, relay: Relay, cause: str) -> None:
        self._ledger.release(self._donor.name, self._target.name)
        if cause not in ("stayed", "over"):
            self._ledger.on_outcome(self._target.name, "lost")


class _Closing:
    """The outcome of a move for which the client is closed; `give_up` ends its promise."""

    def __init__(self, ledger: MoveLedger, target: NodeName, give_up: Callable[[], None]) -> None:
        self._ledger = ledger
        self._target = target
        self._give_up = give_up

    def on_arrived(self, relay: Relay, node: NodeLoad) -> None:
        """Not called: this client is not reopened."""

    def on_sent(self, relay: Relay) -> None:
        """Count that the client was told to come back; it is still expected."""
        self._ledger.on_outcome(self._target, "reconnected")

    def on_failed(self, relay: Relay, cause: str) -> None:
        self._give_up()
