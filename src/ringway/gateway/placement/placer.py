"""Chooses a node for one client, holds a place there and issues the ticket for it."""

import os
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import structlog

from ringway.core.address import EXEMPT
from ringway.core.load import LoadView, NodeLoad
from ringway.core.placement import Score
from ringway.core.steering import Steering
from ringway.errors import NoNode, TicketError
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.http.address_limits import AddressLimits
from ringway.gateway.placement.pace import Pace
from ringway.gateway.stats import Stats
from ringway.protocol.ticket import TICKET_TTL_S, TicketSigner
from ringway.types import Issuer, NodeName

if TYPE_CHECKING:
    from random import Random

_log = structlog.get_logger()

NONCE_BYTES = 8
_POOL_BYTES = 512 * NONCE_BYTES

CANDIDATES = 3
"""The choice and up to two alternates."""


class Place:
    """Where one client goes: the node, the ticket that admits it (empty where nodes take none), and other nodes.

    It may come in `wait_s`; the time of its ticket and of its place begins then.
    """

    __slots__ = ("alternates", "held", "node", "ticket", "wait_s")

    def __init__(
        self, node: NodeLoad, ticket: str, alternates: Sequence[NodeLoad], held: bool, wait_s: float = 0.0
    ) -> None:
        self.node = node
        self.ticket = ticket
        self.alternates = alternates
        self.held = held  # in our own ledger; else by the donor of a move
        self.wait_s = wait_s


class Placer:
    """See the module. Without a `signer` no tickets are issued: static backends know nothing of them."""

    def __init__(
        self,
        view: LoadView,
        steering: Steering,
        signer: TicketSigner | None,
        stats: Stats,
        clock: Callable[[], float],
        rng: "Random",
        wall: Callable[[], float] = time.time,
        config: GatewayConfig | None = None,
        limits: AddressLimits | None = None,
    ) -> None:
        self.view = view
        self.pace = Pace(view, config or GatewayConfig(), stats, limits)
        self.tickets = signer is not None
        self._steering = steering
        self._signer = signer
        self._stats = stats
        self.clock = clock
        self._wall = wall
        self._rng = rng
        self._blamed: Score | None = None  # said once
        self._pool = b""
        self._used = 0

    def place(self, key: bytes | None, address: str = EXEMPT, *, held: bool = False) -> Place:
        """Return a place for a client that came without a ticket of its own; raise `NoNode` where there is none.

        Whoever is given the place of a moved client needs no slot: moves are paced already, by the balancer. `held` are
        clients whose connection waits for the slot; others are charged for the place, by their `address`, until they
        have come.
        """
        now = self.clock()
        view = self.view
        policy = self._steering.policy
        view.wake(now)
        self.pace.look(now)
        if not policy.table and self.tickets:
            claimed = view.claim(now)
            if claimed is not None:
                node, donor = claimed
                others = [other for other in policy.pick(view, key, self._rng, CANDIDATES).nodes if other is not node]
                return self._placed(node, donor, others, held=False)
        ranked = policy.pick(view, key, self._rng, CANDIDATES).nodes
        if isinstance(policy, Score) and policy.failures and policy is not self._blamed:
            self._blamed = policy
            _log.error("the score fails; nodes for which it does are chosen last", problem=policy.failure)
        wait_s = self.pace.take(now, address, held=held)
        node = ranked[0]
        view.place(node, now, wait_s)
        if not held and self.tickets:
            self.pace.limits.outstanding.issue(address, now + wait_s + TICKET_TTL_S)
        return self._placed(node, view.issuer, ranked[1:], held=True, wait_s=wait_s)

    def place_at(self, node: NodeLoad, alternates: Sequence[NodeLoad]) -> Place:
        """Return a place at `node`: an alternate, after another node has failed."""
        self.view.place(node, self.clock())
        return self._placed(node, self.view.issuer, alternates, held=True)

    def moved(self, name: str, ticket: str) -> NodeLoad | None:
        """Return the node of a moved client that shows a good ticket for it; None for any other."""
        self.pace.look(self.clock())
        node = self.view.nodes.get(NodeName(name))
        if node is None or self._signer is None:
            return None
        try:
            self._signer.check(ticket, node.name, self._wall())
        except TicketError:
            return None
        return node

    def prove(self, ticket: str, told: bytes) -> str:
        """Return what proves to the node of `ticket` that a gateway has `told` this of its client."""
        return self._signer.prove(ticket, told) if self._signer is not None else ""

    def give_up(self, place: Place) -> None:
        """Drop the place: its client could not be sent there."""
        if place.held:
            place.held = False
            self.view.unplace(place.node)

    def pause_s(self, error: NoNode | None = None) -> float:
        """Return how long to wait for who finds no node: jittered, so that those who wait do not come together."""
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
        """Return 8 random bytes. The system is asked for many at a time: a call each would cost more than the MAC."""
        start = self._used
        if start >= len(self._pool):
            self._pool = os.urandom(_POOL_BYTES)
            start = 0
        self._used = start + NONCE_BYTES
        return self._pool[start : start + NONCE_BYTES]


__all__ = ["CANDIDATES", "TICKET_TTL_S", "Place", "Placer"]
