"""Replay windows: the numbers that were received of each sender, so that no message counts twice (RFC 4303, 3.4.3).

A number is accepted once: above the highest number of its sender, or up to `WIDTH` below it, for messages that overtake
each other. The windows of at most `SENDERS_MAX` senders are kept; above that, the window is dropped whose sender was
silent for longest. `seal.check_time` refuses what is so old that its window may have been dropped.
"""

from ringway.core.recent import Recent
from ringway.protocol.seal import SealedMessage, SealError, SealFault
from ringway.types import Incarnation

WIDTH = 1024
"""How far below the highest number of its sender a number may be."""

SENDERS_MAX = 4096


class ReplayWindow:
    """The received numbers of all senders, for messages of one purpose."""

    __slots__ = ("_senders",)

    def __init__(self, senders_max: int = SENDERS_MAX) -> None:
        # Of each sender the highest number, and a bit for each number below it.
        self._senders: Recent[Incarnation, tuple[int, int]] = Recent(senders_max)

    def check(self, sealed: SealedMessage) -> None:
        """Note the message's number; raise `SealError` if it was noted before, or is too far below the highest."""
        highest, seen = self._senders.refresh(sealed.origin) or (0, 0)
        ahead = sealed.number - highest
        if ahead > 0:
            seen = ((seen << ahead) | 1) & _ALL if ahead < WIDTH else 1
            highest = sealed.number
        elif ahead <= -WIDTH or seen >> -ahead & 1:
            raise SealError(
                SealFault.REPLAYED,
                f"message {sealed.number} of {sealed.origin} was received before; its highest is {highest}",
            )
        else:
            seen |= 1 << -ahead
        self._senders.add(sealed.origin, (highest, seen))


_ALL = (1 << WIDTH) - 1
