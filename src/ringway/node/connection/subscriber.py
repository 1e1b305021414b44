"""Subscribers, as the parts of a node that send to connections see them; and the frames that they are sent."""

from collections.abc import Callable, Hashable
from typing import Protocol, cast

from picows import WSMsgType

from ringway.protocol.command import ClientInfo

Send = Callable[[WSMsgType, bytearray, int], None]
"""picows' `send_reuse_external_bytearray`: writes the header into the bytes before the payload, and copies nothing."""

TEXT = cast(WSMsgType, 1)  # an int where picows says enum: it converts either, this one faster

HEADROOM = 14
"""Bytes before a payload in which picows writes the frame's header."""


class Subscriber(Hashable, Protocol):
    """A connection, as the outbox, the fan-out and presence see it."""

    @property
    def send(self) -> Send:
        """Sends one frame; changes with the state of the socket."""
        ...

    @property
    def info(self) -> ClientInfo:
        """The client, as other clients are told about it."""
        ...

    def waiting_bytes(self) -> int:
        """Return how much was sent and has not reached the kernel yet."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Close with `code`; the subscriber leaves all channels at once."""
        ...


def frame_of(payload: bytes) -> bytearray:
    """Return `payload` with headroom, as `Send` takes it; may be sent to any number of connections."""
    frame = bytearray(HEADROOM)
    frame += payload
    return frame
