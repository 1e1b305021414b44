"""Numbers of messages on channels, so that no message counts twice (PROTOCOL.md P-10.1.3).

The numbers of one sender and kind grow in a channel, and with them the offsets of its stored publications. A message
with a number that is not above the newest one was sent again by a stranger. For stored publications the newest number
is that of the last delivered one (`core.stream`): here they are only compared with others of the same page of history.

Overflow rule: the newest numbers of `SENDERS_MAX` senders are remembered in each channel that is followed; beyond that
the sender is forgotten that was heard first.
"""

from collections.abc import Iterable

from ringway.protocol.envelope import ORIGIN, SEQ
from ringway.protocol.seal import KIND_AND_ORIGIN
from ringway.types import Channel

SENDERS_MAX = 1024


class ChannelNumbers:
    """The newest numbers in the followed channels, of messages that are not stored. All are proven: heads are whole."""

    __slots__ = ("_channels",)

    def __init__(self) -> None:
        self._channels: dict[Channel, dict[bytes, bytes]] = {}  # by kind and origin

    def note(self, channel: Channel, payload: bytes) -> bool:
        """Note a message that arrived; return False if it was sent again."""
        newest = self._channels.get(channel)
        if newest is None:
            newest = self._channels[channel] = {}
        sender, number = payload[KIND_AND_ORIGIN], payload[SEQ]
        before = newest.get(sender)
        if before is None:
            if len(newest) == SENDERS_MAX:
                del newest[next(iter(newest))]
        elif number <= before:
            return False
        newest[sender] = number
        return True

    def forget(self, channel: Channel) -> None:
        """Forget a channel that is not followed any more."""
        self._channels.pop(channel, None)


def repeated(publications: Iterable[tuple[int, bytes]]) -> set[int]:
    """Return the offsets of the publications that were stored again: offset and payload, ascending, all proven."""
    newest: dict[bytes, bytes] = {}
    found = set()
    for offset, payload in publications:
        origin, number = payload[ORIGIN], payload[SEQ]
        if number <= newest.get(origin, b""):
            found.add(offset)
        else:
            newest[origin] = number
    return found
