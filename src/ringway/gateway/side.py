"""One end of a tunnel, as a protocol: follows the frames that come from it, and writes them to the other end."""

import asyncio
from typing import TYPE_CHECKING

from ringway.errors import ProtocolError
from ringway.gateway.pump import End
from ringway.protocol.frame import FrameTracker

if TYPE_CHECKING:
    from ringway.gateway.tunnel import Tunnel

TLS_HIGH_BYTES = 64 * 1024
"""The high-water mark of TLS transports, which encrypt first and would stop at every piece with a mark of 0."""


class Side(asyncio.Protocol):
    """See the module. `other` is where the bytes of this end go.

    Short whole messages do not come here: the pump passes them by (`End.lone`), unless this end is under TLS.
    """

    __slots__ = ("_end", "carried", "ended", "lost", "other", "tracker", "transport", "tunnel")

    other: "Side"

    def __init__(self, tunnel: "Tunnel", transport: asyncio.Transport, tracker: FrameTracker) -> None:
        self.tunnel = tunnel
        self.transport = transport
        self.tracker = tracker
        self.carried = 0  # bytes from here to the other end that were not yet counted
        self.ended = False  # its stream has come to its end
        self.lost = False  # its connection is over
        self._end = transport if isinstance(transport, End) else None

    def join(self, other: "Side") -> None:
        """Make `other` the end that the bytes of this one go to, and take the transport over."""
        self.other = other
        transport = self.transport
        transport.set_protocol(self)
        if self._end is not None:
            self._end.relay_to(other.transport)
            self._end.lone = self.tracker.lone
        else:  # a mark of 0: as soon as anything waits, the writer is stopped
            secure = transport.get_extra_info("sslcontext") is not None
            transport.set_write_buffer_limits(TLS_HIGH_BYTES if secure else 0)

    def data_received(self, data: bytes) -> None:
        """Relay the next bytes."""
        tracker = self.tracker
        try:
            tracker.feed(data)
        except ProtocolError as error:
            self.tunnel.framing_broken(self, error)
            return
        if self._end is not None:
            self._end.lone = tracker.lone
        self.carried += len(data)
        self.other.transport.write(data)
        if tracker.closed:
            self.tunnel.close_passed()

    def pause_writing(self) -> None:
        """Stop reading from the other side: this one takes no more."""
        other = self.other.transport
        if not other.is_closing():
            other.pause_reading()

    def resume_writing(self) -> None:
        """Go on reading from the other side."""
        other = self.other.transport
        if not other.is_closing():
            other.resume_reading()

    def eof_received(self) -> bool:
        """Take the end of the peer's stream."""
        if not self.ended:
            self.ended = True
            self.tunnel.side_ended(self)
        return not self.lost and self.transport.can_write_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note that the connection is over."""
        self.lost = True
        if not self.ended:
            self.ended = True
            self.tunnel.side_ended(self)
        self.tunnel.side_lost()


class Discard(asyncio.Protocol):
    """Takes over a side that was told goodbye: what still comes is dropped, and its end is waited for."""

    __slots__ = ("_side",)

    def __init__(self, side: Side) -> None:
        self._side = side

    def data_received(self, data: bytes) -> None:
        """Drop it."""

    def eof_received(self) -> bool:
        """Close the transport, after what is left to be written."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note that the connection is over."""
        self._side.lost = True
        self._side.tunnel.side_lost()
