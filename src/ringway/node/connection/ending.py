"""States of one connection at a node, and its end.

    WAITING ──connect──▶ CONNECTED ──▶ OVER
       └─────────────────────────────▶┘

Beside that, the end of the WebSocket has a state of `protocol.closing`. Both states matter if the client closes, or
breaks the protocol, while its commands wait for the engine: then the WebSocket is CLOSE_DUE, and the connection has its
former state until the commands are carried out (`CommandQueue.goodbye`).
"""

import enum
from typing import cast

from picows import WSCloseCode, WSMsgType, WSTransport

from ringway.framing import EndListener
from ringway.net.half_close import end_stream
from ringway.protocol import closing
from ringway.protocol.close import REASON_BYTES_MAX
from ringway.protocol.closing import ClosingAction, ClosingEvent
from ringway.protocol.frame import CLOSE, NO_CODE


class ConnectionState(enum.Enum):
    """The state of a connection, by the commands that its client may send."""

    WAITING = enum.auto()  # upgraded; the connect command must come first
    CONNECTED = enum.auto()
    OVER = enum.auto()  # it has left all channels; commands are not answered any more


class EndingSocket(EndListener):
    """A base of `Connection`: its states and its transport, which is None once the socket is closed."""

    __slots__ = ("_closing", "_state", "_transport")

    def __init__(self) -> None:
        self._closing = closing.ClosingState.OPEN
        self._state = ConnectionState.WAITING
        self._transport: WSTransport | None = None

    @property
    def is_connected(self) -> bool:
        """True if the connect command was accepted, and the connection is not over."""
        return self._state is ConnectionState.CONNECTED

    @property
    def is_staying(self) -> bool:
        """True if it is connected, and its end has not begun."""
        return self._state is ConnectionState.CONNECTED and not self.is_closing

    @property
    def is_closing(self) -> bool:
        """True if its end has begun, by the client or this node."""
        return self._state is ConnectionState.OVER or self._closing is not closing.ClosingState.OPEN

    @property
    def is_usable(self) -> bool:
        """True if commands are carried out and replies sent."""
        return self._state is not ConnectionState.OVER

    def waiting_bytes(self) -> int:
        """Return the number of bytes that were sent to this client and have not reached the kernel yet."""
        return 0 if self._transport is None else self._transport.underlying_transport.get_write_buffer_size()

    def _step(self, event: ClosingEvent) -> ClosingAction:
        action, self._closing = closing.step(self._closing, event)
        return action

    def _send_close(self, code: int, reason: str = "") -> None:
        """Send a close frame, unless one was sent; if the client's half is over, end TCP as well."""
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
        """End this side of TCP first (RFC 6455, 7.1.1), and the client's side when the client does, or at the deadline.

        If both were closed, the kernel would answer the client's next bytes with a reset, which destroys unread data.
        """
        if self._transport is not None and not end_stream(self._transport.underlying_transport):
            self._transport.underlying_transport.close()  # with TLS: it sends the closing alert, and awaits the answer


def _reason(text: str) -> bytes:
    """Return `text` as a close reason; cut at a character if it is too long."""
    return text.encode(errors="replace")[:REASON_BYTES_MAX].decode(errors="ignore").encode()
