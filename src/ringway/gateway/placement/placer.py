"""Placement of clients: chooses a node for each, holds a place there and issues the ticket for it."""

import os
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ringway.core.address import EXEMPT
from ringway.core.load import LoadView, NodeLoad
from ringway.core.placement.place import choose_place, other_nodes
from ringway.core.placement.score import Score
from ringway.core.steering import Steering
from ringway.errors import NoNode, TicketError
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.placement.address_limits import AddressLimits
from ringway.gateway.placement.admission_queue import AdmissionQueue
from ringway.gateway.stats import GatewayStats
from ringway.logger import get_logger
from ringway.protocol.ticket import TICKET_TTL_S, TicketSigner
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

    The ticket is empty at static backends. The client may come in `wait_s`; the time of its ticket and of its place
    begins then.
    """

    __slots__ = ("alternates", "held", "node", "ticket", "wait_s")

    def __init__(
        self, node: NodeLoad, ticket: str, alternates: Sequence[NodeLoad], held: bool, wait_s: float = 0.0
    ) -> None:
        self.node = node
        self.ticket = ticket
        self.alternates = alternates
        self.held = held  # in our own ledger; else the donor of a move holds it
        self.wait_s = wait_s


class Placer:
    """Places the clients of one gateway. Without a `signer` no tickets are issued: static backends know none."""

    def __init__(
        self,
        view: LoadView,
        steering: Steering,
        signer: TicketSigner | None,
        stats: GatewayStats,
        clock: Callable[[], float],
        rng: "Random",
        wall: Callable[[], float] = time.time,
        config: GatewayConfig | None = None,
        limits: AddressLimits | None = None,
    ) -> None:
        self.view = view
        self.limits = limits or AddressLimits(config or GatewayConfig(), (), stats)
        self.queue = AdmissionQueue(view, config or GatewayConfig(), stats, self.limits)
        self.tickets = signer is not None
        self._steering = steering
        self._signer = signer
        self._stats = stats
        self.clock = clock
        self._wall = wall
        self._rng = rng
        self._blamed: Score | None = None  # its failure was logged
        self._pool = b""
        self._used = 0

    def place(self, key: bytes | None, address: str = EXEMPT, *, held: bool = False) -> Place:
        """Return a place for a client that came without a ticket of its own; raise `NoNode` if there is none.

        A client that is given the place of a moved client needs no slot: the balancer paces moves already. `held`: the
        client's connection waits here for the slot; else its `address` is charged for the place until it has come.
        """
        now = self.clock()
        view = self.view
        policy = self._steering.policy
        view.wake(now)
        self.queue.refresh(now)
        choice = choose_place(view, policy, key, self._rng, now, count=CANDIDATES, claims=self.tickets)
        if choice.claimed:
            others = other_nodes(choice.node, view, policy, key, self._rng, count=CANDIDATES)
            return self._placed(choice.node, choice.issuer, others, held=False)
        if isinstance(policy, Score) and policy.failures and policy is not self._blamed:
            self._blamed = policy
            _log.error("the score fails; nodes for which it does are chosen last", problem=policy.failure)
        wait_s = self.queue.take_slot(now, address, held=held)
        view.place(choice.node, now, wait_s)
        if not held and self.tickets:
            self.limits.outstanding.issue(address, now + wait_s + TICKET_TTL_S)
        return self._placed(choice.node, choice.issuer, choice.alternates, held=True, wait_s=wait_s)

    def place_at(self, node: NodeLoad, alternates: Sequence[NodeLoad]) -> Place:
        """Return a place at `node`, an alternate, after the first choice has failed."""
        self.view.place(node, self.clock())
        return self._placed(node, self.view.issuer, alternates, held=True)

    def moved(self, name: str, ticket: str) -> NodeLoad | None:
        """Return the node `name` of a moved client, if `ticket` is a good ticket for it; else None."""
        self.queue.refresh(self.clock())
        node = self.view.nodes.get(NodeName(name))
        if node is None or self._signer is None:
            return None
        try:
            self._signer.check(ticket, node.name, self._wall())
        except TicketError:
            return None
        return node

    def prove(self, ticket: str, told: bytes) -> str:
        """Return the proof to the node of `ticket` that a gateway has `told` this of its client."""
        return self._signer.prove(ticket, told) if self._signer is not None else ""

    def give_up(self, place: Place) -> None:
        """Drop the place: its client could not be sent there."""
        if place.held:
            place.held = False
            self.view.unplace(place.node)

    def pause_s(self, error: NoNode | None = None) -> float:
        """Return how long a client waits that finds no node: jittered, so that clients do not come together."""
        return error.wait_s if error is not None and error.wait_s else self._rng.uniform(0.5, 4.0)

    def _placed(
        self, node: NodeLoad, issuer: Issuer, alternates: Sequence[NodeLoad], *, held: bool, wait_s: float = 0.0
    ) -> Place:
        self._stats.placements[node.name] += 1
        if self._signer is None:
            return Place(node, "", alternates, held, wait_s)
        ticket = self._signer.issue(node.name, issuer, self._nonce(), self._wall() + wait_s)
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
