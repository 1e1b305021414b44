"""End of a relay: reads, follows the frames, and writes to the other end.

This is the hot path of a relay, and most of its cost is the kernel's: two reads and two writes a round trip. Buffered
protocols, `add_reader` with bare sockets, and a hand-written epoll loop were measured: no variant was better than plain
transports by more than the noise (docs/explain/performance.md). Speed comes from little work per piece, few objects,
and writing at once: a high-water mark of 0 makes uvloop do that. It also bounds the bytes that wait for a slow reader
to the rest of one read, since its writer is stopped as soon as bytes wait.
"""

import asyncio
from typing import Protocol

from ringway.net.half_close import end_stream
from ringway.net.lingering_close import LingeringClose
from ringway.net.unsent import unsent_bytes
from ringway.protocol.closing import TABLE, ClosingAction, ClosingEvent, ClosingState
from ringway.protocol.frame import LONE_NEVER, WHOLE_MESSAGES, FrameTracker

TLS_HIGH_BYTES = 64 * 1024
"""The high-water mark of TLS transports, which encrypt first and would stop at every piece with a mark of 0."""


class RelayEvents(Protocol):
    """The events that an end reports to its relay."""

    def on_first_data(self, data: bytes) -> bool:
        """Judge the first data of an end that is `unheard`; return False to be asked again with the next data."""

    def on_last_frame(self, end: "RelayEnd") -> None:
        """The stream of `end` is over: a close frame has come, or the peer broke the framing."""

    def on_stream_end(self, end: "RelayEnd", action: ClosingAction) -> None:
        """The stream of `end` has ended. `action` is the action of the table of `protocol.closing` for it."""

    def on_reset(self, end: "RelayEnd") -> None:
        """The connection of `end` is lost, after its stream had ended."""

    def on_end_gone(self) -> None:
        """The connection of an end is over; called once for each end."""


class RelayEnd(asyncio.Protocol):
    """The end of a relay at `transport`. `other` is the end for its bytes; `relay` gets the events of its stream.

    `state` is the state of its connection by the table of `protocol.closing`, from this gateway's side.
    """

    __slots__ = (
        "carried", "ended", "finished", "lone", "other", "out", "relay", "state", "stopped", "tracker", "transport",
        "unheard",
    )  # fmt: skip

    other: "RelayEnd"
    out: asyncio.Transport

    def __init__(self, relay: RelayEvents, transport: asyncio.Transport, tracker: FrameTracker) -> None:
        self.relay = relay
        self.transport = transport
        self.tracker = tracker
        self.lone = tracker.lone
        self.state = ClosingState.OPEN
        self.carried = 0  # bytes from here to the other end that were not yet counted
        self.ended = False  # its stream has come to its end
        self.finished = False  # it was sent the end of the other stream: no bytes may follow
        self.unheard = False  # its relay judges its first data
        self.stopped = False  # it is not read, even if the other end has room

    @property
    def is_lost(self) -> bool:
        """True if its connection is over, or does not belong to the relay any more."""
        return self.state is ClosingState.GONE

    def step(self, event: ClosingEvent) -> ClosingAction:
        """Return the table's action for `event`, and change to the state after it."""
        action, self.state = TABLE[self.state, event]
        return action

    def join(self, other: "RelayEnd") -> None:
        """Send the bytes of this end to `other` from now on, and become the transport's protocol."""
        self.other = other
        self.out = other.transport
        self.lone = LONE_NEVER if self.unheard else self.tracker.lone
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
        if self.unheard:
            self.unheard = not self.relay.on_first_data(data)
        passed = tracker.feed(data)
        self.lone = LONE_NEVER if self.unheard else tracker.lone
        if passed:
            self.carried += len(passed)
            self.out.write(passed)
        if tracker.over:
            self.relay.on_last_frame(self)

    def finish_message(self, data: bytes) -> bytes:
        """Relay the rest of the message under way, and return the rest of `data`."""
        passed, rest = self.tracker.feed_message(data)
        if passed:
            self.carried += len(passed)
            self.out.write(passed)
        return rest

    def retire(self) -> bool:
        """Leave the relay: this end does not report or write any more. Return True if the stream had ended."""
        ended, self.ended, self.finished, self.state = self.ended, True, True, ClosingState.GONE
        return ended

    def see_off(self, goodbye: bytes) -> None:
        """Write `goodbye` if it is due and no frame is half written, then the end of the stream. Stop reading.

        Further bytes of its peer are dropped, until the end of its stream.
        """
        transport = self.transport
        if self.is_lost or transport.is_closing():
            return
        whole = self.other.tracker.at_boundary and not self.finished
        if goodbye and whole and self.step(ClosingEvent.CLOSE_HERE) is ClosingAction.SEND_CLOSE:
            transport.write(goodbye)
        done = self.finished and not unsent_bytes(transport)  # the peer has all bytes: a reset cannot destroy any
        if self.ended or done or not transport.can_write_eof():
            transport.close()
            return
        LingeringClose(transport, self._on_lingered)
        if not self.finished:
            self.finished = True
            end_stream(transport)
        if not transport.is_closing():
            transport.resume_reading()

    def stop_reading(self) -> None:
        """Stop reading, even if the other end has room."""
        self.stopped = True
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def pause_writing(self) -> None:
        """Stop reading from the other end: this end's buffer is full."""
        other = self.other.transport
        if not other.is_closing():
            other.pause_reading()

    def resume_writing(self) -> None:
        """Go on reading from the other end."""
        other = self.other
        if not (other.stopped or other.transport.is_closing()):
            other.transport.resume_reading()

    def eof_received(self) -> bool:
        """Report the end of the peer's stream; the transport stays open for outstanding writes."""
        if not self.ended:
            self.ended = True
            self.relay.on_stream_end(self, self.step(ClosingEvent.END))
        return not self.is_lost and self.transport.can_write_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        """Report that the connection is over, unless the relay has left it."""
        if self.is_lost:
            return
        before, self.ended = self.ended, True
        action = self.step(ClosingEvent.LOST)
        if before:
            self.relay.on_reset(self)
        else:
            self.relay.on_stream_end(self, action)
        self.relay.on_end_gone()

    def _on_lingered(self, closing: LingeringClose) -> None:
        """Report that the connection is over, after its peer was told goodbye."""
        self.step(ClosingEvent.LOST)
        self.relay.on_end_gone()
