"""Notices of redeemed tickets, sent to the donors of moves and received from their targets (PROTOCOL.md P-8.9).

A notice contains the whole count, so a later notice replaces an earlier one. It is sent again until the donor has
answered, or its count is dropped. At most `NOTICES_MAX` are under way; the others wait for the next tick.
"""

import asyncio

from ringway.errors import EngineError, ProtocolError
from ringway.logger import get_logger
from ringway.member.redeemed_tickets import RedeemedTickets
from ringway.member.sent_moves import SentMoves
from ringway.ports import Bus, Serving
from ringway.protocol.taken import TakenNotice, decode_notice, encode_notice, issuer_address
from ringway.tasks import Tasks
from ringway.types import Incarnation, Issuer, NodeName

ANSWER_S = 1.0
NOTICES_MAX = 64

_log = get_logger()


class TakenNotices:
    """The notices of one member, in both directions."""

    def __init__(
        self, name: NodeName, incarnation: Incarnation, bus: Bus, tickets: RedeemedTickets, sent: SentMoves
    ) -> None:
        self._name = name
        self._incarnation = incarnation
        self._bus = bus
        self._tickets = tickets
        self._sent = sent
        self._under_way: set[Issuer] = set()
        self._tasks = Tasks()
        self._serving: Serving | None = None

    async def start(self) -> None:
        """Receive notices from now on."""
        self._serving = await self._bus.serve(issuer_address(Issuer(self._incarnation)), self._on_notice)

    async def stop(self) -> None:
        """Receive and send no more notices."""
        if self._serving is not None:
            await self._serving.close()
        await self._tasks.aclose()

    def tick(self) -> None:
        """Send the reported counts that have changed; call it every `TICK_S`."""
        for issuer, count in self._tickets.untold().items():
            if issuer not in self._under_way and len(self._under_way) < NOTICES_MAX:
                self._under_way.add(issuer)
                self._tasks.spawn(self._send(issuer, count), name=f"notice to {issuer}")

    async def _send(self, issuer: Issuer, count: int) -> None:
        notice = encode_notice(TakenNotice(self._name, self._incarnation, count))
        try:
            async with asyncio.timeout(2 * ANSWER_S):
                await self._bus.call(issuer_address(issuer), notice, timeout_s=ANSWER_S)
            self._tickets.on_told(issuer, count)
        except (EngineError, TimeoutError) as error:
            _log.debug("a donor was not told of its tickets; the next tick tells it", issuer=issuer, error=str(error))
        finally:
            self._under_way.discard(issuer)

    async def _on_notice(self, raw: bytes) -> bytes:
        try:
            notice = decode_notice(raw)
        except ProtocolError as error:
            _log.warning("a notice of redeemed tickets cannot be read", error=str(error))
        else:
            self._sent.on_taken(notice.name, notice.incarnation, notice.count)
        return b""
