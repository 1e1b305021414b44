"""Framing by picows, which gets only bytes that `protocol.inflow` has checked: for nodes and for clients.

picows' own protocol class is extended in one place: when bytes have arrived. All other code stays compiled. The bytes
are at the beginning of the buffer that picows offers next: this is the only use beyond its documented API (2.3).
"""

import asyncio
import logging
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from multidict import CIMultiDict
from picows import WSAutoPingStrategy, WSListener, WSTransport
from picows.picows import WSProtocol  # type: ignore[attr-defined]

from ringway.errors import ProtocolError
from ringway.protocol.inflow import Inflow

_HEAD_END = b"\r\n\r\n"

# An adapter, not a logger: picows would make a child logger for each connection. Its own messages are for debugging;
# the listeners report everything that matters.
_picows_log = logging.LoggerAdapter(logging.getLogger("ringway.picows"), {})
_picows_log.logger.setLevel(logging.CRITICAL)

if TYPE_CHECKING:

    class _PicowsProtocol(asyncio.BufferedProtocol):
        """The part of picows' class that is used here."""

        listener: WSListener | None
        transport: WSTransport

        def __init__(self, **settings: Any) -> None: ...
        def get_buffer(self, sizehint: int) -> memoryview: ...
        async def wait_until_handshake_complete(self) -> None: ...
else:
    _PicowsProtocol = WSProtocol


class EndListener(WSListener):
    """A picows listener for the end of the peer's half of the connection: one of these methods is called, once.

    All earlier frames have been delivered before the call, and no frame is delivered after it.
    """

    __slots__ = ()

    def on_ws_close(self, payload: bytes) -> None:
        """Handle the end by a close frame with `payload`."""
        raise NotImplementedError

    def on_ws_breach(self, error: ProtocolError) -> None:
        """Handle the end by `error`: the peer broke the protocol."""
        raise NotImplementedError


class FramingProtocol(_PicowsProtocol):
    """The bytes of one connection on their way to picows. Its listener must be an `EndListener`."""

    __slots__ = ("_inflow", "_tail")

    def __init__(
        self,
        listener_factory: Callable[..., Any],
        *,
        is_client_side: bool,
        message_bytes_max: int,
        read_buffer_bytes: int,
        host_port: str | None = None,
        path: str | None = None,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(
            host_port=host_port,
            ws_path=path,
            is_client_side=is_client_side,
            ws_listener_factory=listener_factory,
            logger=_picows_log,
            disconnect_on_exception=True,
            websocket_handshake_timeout=None,  # the opener of a connection has a deadline of its own
            enable_auto_ping=False,
            auto_ping_idle_timeout=0,
            auto_ping_reply_timeout=0,
            auto_ping_strategy=WSAutoPingStrategy.PING_WHEN_IDLE,
            enable_auto_pong=False,  # the layer above checks and counts pings
            max_frame_size=sys.maxsize,  # the inflow checks it
            extra_headers=headers,
            read_buffer_init_size=read_buffer_bytes,
        )
        self._inflow = Inflow(masked=not is_client_side, payload_bytes_max=message_bytes_max)
        self._tail = b""  # the last bytes of the handshake's head, while the head is incomplete

    def buffer_updated(self, nbytes: int) -> None:
        """Process `nbytes` bytes, which are in the buffer that picows offered last."""
        data = super().get_buffer(-1)[:nbytes]
        if self.listener is None:
            self._read_head(bytes(data))
            return
        inflow = self._inflow
        if inflow.end is not None:
            return
        passed = inflow.feed(data)
        if passed:
            super().buffer_updated(passed)
        if inflow.end is not None:
            self._report_end()

    def _read_head(self, data: bytes) -> None:
        """Pass on the handshake's head alone; frames may follow directly."""
        seam = self._tail + data
        end = seam.find(_HEAD_END)
        if end < 0:
            self._tail = seam[-3:]
            super().buffer_updated(len(data))
            return
        size = end + len(_HEAD_END) - len(self._tail)
        self._tail = b""
        super().buffer_updated(size)
        if self.listener is None or size == len(data):
            return
        rest = data[size:]
        rest = rest[: self._inflow.feed(rest)]
        while rest:
            room = super().get_buffer(-1)
            piece = rest[: len(room)]
            room[: len(piece)] = piece
            super().buffer_updated(len(piece))
            rest = rest[len(piece) :]
        if self._inflow.end is not None:
            self._report_end()

    def abort(self) -> None:
        """End the connection at once."""
        self.transport.disconnect(False)

    def _report_end(self) -> None:
        end, listener = self._inflow.end, cast("EndListener", self.listener)
        if isinstance(end, ProtocolError):
            listener.on_ws_breach(end)
        elif end is not None:
            listener.on_ws_close(end)


def free_heads(transport: WSTransport) -> None:
    """Drop the heads of the handshake, which picows would keep as long as the connection: 1 KiB and more."""
    transport.request.headers = transport.response.headers = _NO_HEADERS
    transport.request.path = b""


_NO_HEADERS: CIMultiDict[str] = CIMultiDict()
