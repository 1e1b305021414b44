"""Admission of clients to a member: at the rate that it can serve, and by tickets for places that were held.

A holder's own requirements of a request (its path, its origin, the holder's bounds) are checked by the holder.
"""

from collections.abc import Callable
from math import ceil
from typing import NamedTuple

from ringway.core.handshake_limiter import HandshakeLimiter
from ringway.errors import Overloaded, TicketError, TicketRefused, UpgradeError
from ringway.member.drain import Drain
from ringway.member.process import ProcessStats
from ringway.member.redeemed_tickets import RedeemedTickets
from ringway.protocol.ticket import NonceCache, TicketKind, TicketSigner
from ringway.types import NodeName, NodeState


class Redemption(NamedTuple):
    """A redeemed ticket."""

    is_move: bool
    """True if a move ends here."""
    nonce: bytes


class Admission:
    """Admits clients of the member `name`. `clock` is monotonic, and `wall` Unix time, for tickets.

    `address_share` is the part of the handshakes that one address may have while clients of more addresses come.
    `on_turned_away` is called for each handshake above the rate. If `sheds` is False, all handshakes are admitted at
    any rate.
    """

    __slots__ = (
        "_address_share", "_clock", "_drain", "_limiter", "_name", "_nonces", "_on_turned_away", "_process",
        "_retry_after", "_sheds", "_signer", "_tickets", "_wall",
    )  # fmt: skip

    def __init__(
        self,
        name: NodeName,
        signer: TicketSigner,
        tickets: RedeemedTickets,
        drain: Drain,
        process: ProcessStats,
        *,
        sheds: bool,
        address_share: float,
        retry_after_s: int,
        on_turned_away: Callable[[], None],
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._name = name
        self._signer = signer
        self._tickets = tickets
        self._drain = drain
        self._process = process
        self._sheds = sheds
        self._address_share = address_share
        self._retry_after = (("Retry-After", str(retry_after_s)),)
        self._on_turned_away = on_turned_away
        self._clock = clock
        self._wall = wall
        self._nonces = NonceCache()
        self._limiter = HandshakeLimiter(clock())

    def check_state(self, *, has_ticket: bool) -> None:
        """Raise `UpgradeError` if the member drains and no place was held before."""
        if self._drain.state is NodeState.DRAINING and not has_ticket:
            raise UpgradeError(503, "the node is draining; connect through the gateway", self._retry_after)

    def count_handshake(self, address: str, *, has_ticket: bool) -> None:
        """Count a handshake that came for `address` (`core.address`).

        Raise `UpgradeError` if more handshakes come than the member can serve, or if most of them come for this
        address.
        """
        now, per_s = self._clock(), self._process.accept_per_s
        if not self._sheds or self._limiter.admit(
            now, per_s, ticket=has_ticket, address=address, share=self._address_share
        ):
            return
        self._on_turned_away()
        pause = str(ceil(self._limiter.pause_s(now, per_s)) + 1)
        raise UpgradeError(
            503, f"more handshakes come than the {per_s:.0f} a second that the node can take", (("Retry-After", pause),)
        )

    def redeem_ticket(
        self, ticket: str, address: str, check_nonce: Callable[[bytes], None] | None = None
    ) -> Redemption:
        """Redeem a ticket, and count its handshake; the place that its issuer holds ends with the next report.

        `check_nonce` may raise `UpgradeError` to refuse the ticket before it is redeemed. Raise `UpgradeError` for an
        invalid or used ticket, and above the rate.
        """
        now = self._wall()
        try:
            checked = self._signer.check_bearer(ticket, self._name, now)
            if check_nonce is not None:
                check_nonce(checked.nonce)
            self.count_handshake(address, has_ticket=True)
            self._nonces.redeem(checked.nonce, now)
        except TicketError as error:
            raise TicketRefused(403, str(error)) from error
        except Overloaded as error:
            raise UpgradeError(503, str(error), self._retry_after) from error
        is_move = checked.kind is TicketKind.MOVE
        self._tickets.count_ticket(checked.issuer, is_move=is_move)
        return Redemption(is_move, checked.nonce)
