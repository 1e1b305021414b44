"""One end of a tunnel: reads, follows the frames, and writes to the other end.

This is the hot path of a relay, and most of its cost is the kernel's: two reads and two writes a round trip. Measured
against it were buffered protocols, `add_reader` with bare sockets, and an epoll of our own: none was better than plain
transports by more than the noise (see docs/explain/performance.md). What counts is to do little per piece, in few
objects, and to write at once: a high-water mark of 0 makes uvloop do that, and it bounds what waits for a slow reader
to the rest of one read, since its writer is stopped as soon as anything waits.
"""

import asyncio
from typing import TYPE_CHECKING

from ringway.net.half_close import end_stream
from ringway.net.lingering_close import LingeringClose
from ringway.net.unsent import unsent_bytes
from ringway.protocol.closing import TABLE, ClosingAction, ClosingEvent, ClosingState
from ringway.protocol.frame import WHOLE_MESSAGES, FrameTracker

if TYPE_CHECKING:
    from ringway.gateway.proxy.relay import Tunnel

TLS_HIGH_BYTES = 64 * 1024
"""The high-water mark of TLS transports, which encrypt first and would stop at every piece with a mark of 0."""


class Side(asyncio.Protocol):
    """See the module. `other` is where the bytes of this end go; how its stream is over is told to the tunnel.

    `state` is that of its connection by the table of `protocol.closing`: this gateway is the end that reads it.
    """

    __slots__ = (
        "carried", "ended", "finished", "lone", "other", "out", "state", "stopped", "tracker", "transport", "tunnel",
    )  # fmt: skip

    other: "Side"
    out: asyncio.Transport

    def __init__(self, tunnel: "Tunnel", transport: asyncio.Transport, tracker: FrameTracker) -> None:
        self.tunnel = tunnel
        self.transport = transport
        self.tracker = tracker
        self.lone = tracker.lone
        self.state = ClosingState.OPEN
        self.carried = 0  # bytes from here to the other end that were not yet counted
        self.ended = False  # its stream has come to its end
        self.finished = False  # it was sent the end of the other's stream: nothing may follow
        self.stopped = False  # it is not read, whatever the other end takes

    @property
    def lost(self) -> bool:
        """Whether its connection is over, or is the tunnel's no more."""
        return self.state is ClosingState.GONE

    def on(self, event: ClosingEvent) -> ClosingAction:
        """Return what the table says about `event`, and be in the state after it."""
        action, self.state = TABLE[self.state, event]
        return action

    def join(self, other: "Side") -> None:
        """Make `other` the end that the bytes of this one go to, and take the transport over."""
        self.other = other
        self.out = other.transport
        self.lone = self.tracker.lone
        transport = self.transport
        transport.set_protocol(self)
        secure = transport.get_extra_info("sslcontext") is not None
        transport.set_write_buffer_limits(TLS_HIGH_BYTES if secure else 0)

    def data_received(self, data: bytes) -> None:
        """Relay the next bytes."""
        try:
            if self.lone[data[1]] == len(data) and data[0] in WHOLE_MESSAGES:
                self.carried += len(data)
                self.out.write(data)
                return
        except IndexError:  # a single byte
            pass
        self._follow(data)

    def _follow(self, data: bytes) -> None:
        tracker = self.tracker
        if tracker.over:
            return
        passed = tracker.feed(data)
        self.lone = tracker.lone
        if passed:
            self.carried += len(passed)
            self.out.write(passed)
        if tracker.over:
            self.tunnel.over(self)

    def finish_message(self, data: bytes) -> bytes:
        """Relay of `data` what belongs to the message under way, and return the rest."""
        passed, rest = self.tracker.feed_message(data)
        if passed:
            self.carried += len(passed)
            self.out.write(passed)
        return rest

    def see_off(self, goodbye: bytes) -> None:
        """Write the end of the stream; before it `goodbye`, if that is due and no frame is half written. Read no more.

        What its peer still sends is dropped, until the end of its stream.
        """
        transport = self.transport
        if self.lost or transport.is_closing():
            return
        whole = self.other.tracker.at_boundary and not self.finished
        if goodbye and whole and self.on(ClosingEvent.CLOSE_HERE) is ClosingAction.SEND_CLOSE:
            transport.write(goodbye)
        done = self.finished and not unsent_bytes(transport)  # it has everything: a reset takes nothing from it
        if self.ended or done or not transport.can_write_eof():
            transport.close()
            return
        LingeringClose(transport, self._lingered)
        if not self.finished:
            self.finished = True
            end_stream(transport)
        if not transport.is_closing():
            transport.resume_reading()

    def stop(self) -> None:
        """Read no more, whatever the other end takes."""
        self.stopped = True
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def pause_writing(self) -> None:
        """Stop reading from the other side: this one takes no more."""
        other = self.other.transport
        if not other.is_closing():
            other.pause_reading()

    def resume_writing(self) -> None:
        """Go on reading from the other side."""
        other = self.other
        if not (other.stopped or other.transport.is_closing()):
            other.transport.resume_reading()

    def eof_received(self) -> bool:
        """Take the end of the peer's stream."""
        if not self.ended:
            self.ended = True
            self.tunnel.ended(self, self.on(ClosingEvent.END))
        return not self.lost and self.transport.can_write_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note that the connection is over."""
        if self.lost:
            return  # the tunnel has left it
        before, self.ended = self.ended, True
        action = self.on(ClosingEvent.LOST)
        if before:
            self.tunnel.lost(self)
        else:
            self.tunnel.ended(self, action)
        self.tunnel.side_lost()

    def _lingered(self, closing: LingeringClose) -> None:
        """Take note that the connection is over, after it was told goodbye."""
        self.on(ClosingEvent.LOST)
        self.tunnel.side_lost()
