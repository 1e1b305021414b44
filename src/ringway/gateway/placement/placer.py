"""Placement of clients: chooses the node of each client, holds a place there and issues the ticket for it."""

import os
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ringway.core.address import EXEMPT
from ringway.core.load import LoadView, NodeLoad
from ringway.core.placement.key import KeyReader
from ringway.core.placement.place import choose_place, other_nodes
from ringway.core.placement.score import Score
from ringway.core.steering import Steering
from ringway.errors import NoNode, TicketError
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.placement.address_limits import AddressLimits
from ringway.gateway.placement.admission_queue import AdmissionQueue
from ringway.gateway.stats import GatewayStats
from ringway.logger import get_logger
from ringway.protocol.expected import ExpectedClient
from ringway.protocol.group import DEFAULT
from ringway.protocol.ticket import TICKET_TTL_S, TicketKind, TicketSigner
from ringway.types import Issuer, NodeName

if TYPE_CHECKING:
    from random import Random

_log = get_logger()

NONCE_BYTES = 8
_POOL_BYTES = 512 * NONCE_BYTES

CANDIDATES = 3
"""The choice and up to two alternates."""


class Place:
    """The place of one client: its node, the ticket that admits it, and alternate nodes.

    The ticket is empty at backends. The client may come in `wait_s`; the time of its ticket and of its place begins
    then. `promised` is the promise to an expected client (`core.expected`).
    """

    __slots__ = ("alternates", "held", "node", "promised", "ticket", "wait_s")

    def __init__(
        self,
        node: NodeLoad,
        ticket: str,
        alternates: Sequence[NodeLoad],
        held: bool,
        wait_s: float = 0.0,
        promised: ExpectedClient | None = None,
    ) -> None:
        self.node = node
        self.ticket = ticket
        self.alternates = alternates
        self.held = held  # True: in this gateway's ledger; False: the donor of a move holds it
        self.wait_s = wait_s
        self.promised = promised


TakePromise = Callable[[bytes | None, str, str], ExpectedClient | None]
"""Returns the promise to the client with a key or an address in a group; None if it is not expected there."""


def promise_nothing(key: bytes | None, address: str, group: str) -> None:
    """Return None: no client is expected."""


class Placer:
    """Places the clients of one group at one gateway. Tickets are issued for nodes; backends know none."""

    def __init__(
        self,
        view: LoadView,
        steering: Steering,
        signer: TicketSigner,
        stats: GatewayStats,
        clock: Callable[[], float],
        rng: "Random",
        wall: Callable[[], float] = time.time,
        config: GatewayConfig | None = None,
        limits: AddressLimits | None = None,
        take_promise: TakePromise = promise_nothing,
        group: str = DEFAULT,
    ) -> None:
        self.view = view
        self.group = group
        self.limits = limits or AddressLimits(config or GatewayConfig(), (), stats)
        self.queue = AdmissionQueue(view, config or GatewayConfig(), stats, self.limits, group)
        self._steering = steering
        self._signer = signer
        self._stats = stats
        self.clock = clock
        self._wall = wall
        self._rng = rng
        self._take_promise = take_promise
        self._blamed: Score | None = None  # the policy whose failure was logged
        self._pool = b""
        self._used = 0

    @property
    def keys(self) -> KeyReader:
        """The reader of clients' keys for the policy in force."""
        return self._steering.keys

    def place(self, key: bytes | None, address: str = EXEMPT, *, held: bool = False, promises: bool = True) -> Place:
        """Return a place for a client that came without a ticket of its own; raise `NoNode` if no node has room.

        A client that is given the place of a moved client needs no slot: the balancer paces moves already. `held`: the
        client's connection waits here for the slot; otherwise its `address` is charged for the place until the client
        has come. With `promises` an expected client gets the place that it was promised.
        """
        now = self.clock()
        view = self.view
        policy = self._steering.policy
        view.wake(now)
        self.queue.refresh(now)
        promised = self._take_promise(key, address, self.group) if promises else None
        if promised is not None and (node := view.nodes.get(promised.target)) is not None and node.eligible:
            others = other_nodes(node, view, policy, key, self._rng, count=CANDIDATES)
            return self._placed(node, view.issuer, others, held=False, promised=promised)
        choice = choose_place(view, policy, key, self._rng, now, count=CANDIDATES, claims=True)
        if choice.claimed:
            others = other_nodes(choice.node, view, policy, key, self._rng, count=CANDIDATES)
            return self._placed(choice.node, choice.issuer, others, held=False)
        if isinstance(policy, Score) and policy.failures and policy is not self._blamed:
            self._blamed = policy
            _log.error("the score fails; nodes for which it does are chosen last", problem=policy.failure)
        wait_s = self.queue.take_slot(now, address, held=held)
        view.place(choice.node, now, wait_s)
        if not held and not choice.node.is_backend:
            self.limits.outstanding.issue(address, now + wait_s + TICKET_TTL_S)
        return self._placed(choice.node, choice.issuer, choice.alternates, held=True, wait_s=wait_s)

    def choose(self, key: bytes | None) -> Sequence[NodeLoad]:
        """Return the node for a plain request with `key`, and alternates; raise `NoNode` if no node has room.

        A request needs no slot, and no place is held: it counts while it is under way (`core.load.request`).
        """
        now = self.clock()
        self.view.wake(now)
        self.queue.refresh(now)
        choice = choose_place(self.view, self._steering.policy, key, self._rng, now, count=CANDIDATES, claims=False)
        return (choice.node, *choice.alternates)

    def place_at(self, node: NodeLoad, alternates: Sequence[NodeLoad]) -> Place:
        """Return a place at the alternate `node`, after the first choice has failed."""
        self.view.place(node, self.clock())
        return self._placed(node, self.view.issuer, alternates, held=True)

    def moved(self, name: str, ticket: str) -> NodeLoad | None:
        """Return the node `name` of a moved client, if `ticket` is a valid ticket for it; otherwise None."""
        self.queue.refresh(self.clock())
        node = self.view.nodes.get(NodeName(name))
        if node is None or node.is_backend:
            return None
        try:
            self._signer.check_bearer(ticket, node.name, self._wall() + node.skew_s)
        except TicketError:
            return None
        return node

    def prove(self, ticket: str, told: bytes) -> str:
        """Return the gateway's proof of its statements `told` about the client, for the node of `ticket`."""
        return self._signer.prove(ticket, told)

    def give_up(self, place: Place) -> None:
        """Drop the place: its client could not be sent there."""
        if place.held:
            place.held = False
            self.view.unplace(place.node)

    def pause_s(self, error: NoNode | None = None) -> float:
        """Return the pause of a client for which there is no node: jittered, so that clients do not come together."""
        return error.wait_s if error is not None and error.wait_s else self._rng.uniform(0.5, 4.0)

    def _placed(
        self,
        node: NodeLoad,
        issuer: Issuer,
        alternates: Sequence[NodeLoad],
        *,
        held: bool,
        wait_s: float = 0.0,
        promised: ExpectedClient | None = None,
    ) -> Place:
        self._stats.placements[node.name] += 1
        if node.is_backend:
            return Place(node, "", alternates, held, wait_s, promised)
        kind = TicketKind.PLACEMENT if held else TicketKind.MOVE  # not held here: of a moved client
        now = self._wall() + node.skew_s + wait_s  # by the node's clock
        ticket = self._signer.issue(node.name, issuer, self._nonce(), now, kind=kind)
        return Place(node, ticket, alternates, held, wait_s)

    def _nonce(self) -> bytes:
        """Return 8 random bytes. They come from the system in bulk: a call for each would cost more than the MAC."""
        start = self._used
        if start >= len(self._pool):
            self._pool = os.urandom(_POOL_BYTES)
            start = 0
        self._used = start + NONCE_BYTES
        return self._pool[start : start + NONCE_BYTES]


__all__ = ["CANDIDATES", "TICKET_TTL_S", "Place", "Placer"]
