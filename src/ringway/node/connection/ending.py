"""States of one connection at a node, and its end.

    WAITING ──connect──▶ CONNECTED ──▶ OVER
       └─────────────────────────────▶┘

Beside that, how far the WebSocket has come to its end is a state of `protocol.closing`. The two meet if the client
closes, or breaks the protocol, while commands of it wait for the engine: the WebSocket is CLOSE_DUE then, and the
connection keeps its state until they are carried out (`CommandBacklog.goodbye`).
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
    """What the client of a connection may do."""

    WAITING = enum.auto()  # upgraded; the connect command must come first
    CONNECTED = enum.auto()
    OVER = enum.auto()  # it has left all channels; no command is answered any more


class EndingSocket(EndListener):
    """A base of `Connection`: its states and its transport, which is None once the socket is closed."""

    __slots__ = ("_closing", "_state", "_transport")

    def __init__(self) -> None:
        self._closing = closing.ClosingState.OPEN
        self._state = ConnectionState.WAITING
        self._transport: WSTransport | None = None

    @property
    def is_connected(self) -> bool:
        """Whether the connect command was accepted, and the connection is not over."""
        return self._state is ConnectionState.CONNECTED

    @property
    def is_staying(self) -> bool:
        """Whether it is connected, and its end has not begun."""
        return self._state is ConnectionState.CONNECTED and not self.is_closing

    @property
    def is_closing(self) -> bool:
        """Whether its end has begun, by the client or this node."""
        return self._state is ConnectionState.OVER or self._closing is not closing.ClosingState.OPEN

    @property
    def is_usable(self) -> bool:
        """Whether commands are carried out and replies sent."""
        return self._state is not ConnectionState.OVER

    def waiting_bytes(self) -> int:
        """Return how much was sent to this client and has not reached the kernel yet."""
        return 0 if self._transport is None else self._transport.underlying_transport.get_write_buffer_size()

    def _step(self, event: ClosingEvent) -> ClosingAction:
        action, self._closing = closing.step(self._closing, event)
        return action

    def _send_close(self, code: int, reason: str = "") -> None:
        """Send a close frame, unless one was sent; if the client's half is over, nothing more is to be said."""
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
    """Return `text` as a close reason; cut at a character if it is too long."""
    return text.encode(errors="replace")[:REASON_BYTES_MAX].decode(errors="ignore").encode()
