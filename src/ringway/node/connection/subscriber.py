"""Subscribers, in the view of the parts of a node that send to connections; and the frames for subscribers."""

from collections.abc import Callable, Hashable
from typing import Protocol, cast

from picows import WSMsgType

from ringway.protocol.command import ClientInfo
from ringway.types import Channel

Send = Callable[[WSMsgType, bytearray, int], None]
"""picows' `send_reuse_external_bytearray`: writes the header into the bytes before the payload, and copies nothing."""

TEXT = cast(WSMsgType, 1)  # an int in place of picows' enum: picows converts both, and ints faster

HEADROOM = 14
"""Bytes before a payload in which picows writes the frame's header."""


class Subscriber(Hashable, Protocol):
    """A connection, in the view of the outbox, the fan-out and presence."""

    @property
    def send(self) -> Send:
        """Sends one frame; changes with the state of the socket."""
        ...

    def info_in(self, channel: Channel) -> ClientInfo:
        """Return the client's description for the other subscribers of `channel`."""
        ...

    def waiting_bytes(self) -> int:
        """Return the number of bytes that were sent and have not reached the kernel yet."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Close with `code`; the subscriber leaves all channels at once."""
        ...


def frame_of(payload: bytes) -> bytearray:
    """Return `payload` with headroom, for `Send`; it may be sent to any number of connections."""
    frame = bytearray(HEADROOM)
    frame += payload
    return frame
