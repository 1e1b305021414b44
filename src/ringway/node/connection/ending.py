"""Ending of one WebSocket at a node: its transport, and how far its end has come by the table of `protocol.closing`."""

from typing import cast

from picows import WSCloseCode, WSMsgType, WSTransport

from ringway.framing import EndListener
from ringway.net.half_close import end_stream
from ringway.protocol import closing
from ringway.protocol.close import REASON_BYTES_MAX
from ringway.protocol.closing import ClosingAction, ClosingEvent
from ringway.protocol.frame import CLOSE, NO_CODE


class EndingSocket(EndListener):
    """What a connection is made on. Nothing is sent where the transport is None: the socket is closed then."""

    __slots__ = ("_closing", "_transport")

    def __init__(self) -> None:
        self._closing = closing.ClosingState.OPEN
        self._transport: WSTransport | None = None

    def waiting_bytes(self) -> int:
        """How much was sent to this client and is not in the kernel's hands yet."""
        return 0 if self._transport is None else self._transport.underlying_transport.get_write_buffer_size()

    def _step(self, event: ClosingEvent) -> ClosingAction:
        action, self._closing = closing.step(self._closing, event)
        return action

    def _send_close(self, code: int, reason: str = "") -> None:
        """Send a close frame, unless one was sent; where the client's half is over, nothing more is to be said."""
        transport = self._transport
        if transport is None or self._step(ClosingEvent.CLOSE_HERE) is not ClosingAction.SEND_CLOSE:
            return
        if code == NO_CODE:
            transport.send(cast(WSMsgType, CLOSE), None)
        else:
            transport.send_close(cast(WSCloseCode, code), _reason(reason))
        if self._closing is closing.ClosingState.CLOSED:
            self._end_stream()

    def _end_stream(self) -> None:
        """End this side of TCP first (RFC 6455, 7.1.1), and the other when the client does, or at the deadline.

        Closing both would answer what the client still sends with a reset, which destroys what it has not read.
        """
        if self._transport is not None:
            end_stream(self._transport.underlying_transport)


def _reason(text: str) -> bytes:
    """`text` as a close reason; cut at a character where it is too long."""
    return text.encode(errors="replace")[:REASON_BYTES_MAX].decode(errors="ignore").encode()
