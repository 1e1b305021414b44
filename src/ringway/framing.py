"""Framing by picows, which is given only what `protocol.inflow` has judged: for nodes and for clients.

picows' own protocol class is extended by one moment, that in which bytes have come; all else stays compiled code. They
lie at the beginning of the buffer which it offers next: this is all that is known here beyond its documented API (2.3).
"""

import asyncio
import sys
from typing import TYPE_CHECKING, Any, cast

from multidict import CIMultiDict
from picows import WSListener, WSTransport
from picows.picows import WSProtocol  # type: ignore[attr-defined]

from ringway.errors import ProtocolError
from ringway.protocol.inflow import Inflow

_HEAD_END = b"\r\n\r\n"

if TYPE_CHECKING:

    class _PicowsProtocol(asyncio.BufferedProtocol):
        """What is used of picows' class."""

        listener: WSListener | None
        transport: WSTransport

        def __init__(self, **settings: Any) -> None: ...
        def get_buffer(self, sizehint: int) -> memoryview: ...
        async def wait_until_handshake_complete(self) -> None: ...
else:
    _PicowsProtocol = WSProtocol


class EndListener(WSListener):
    """A listener of picows' that is told how its peer's half of the connection ended: by one of these, once.

    All frames that came before have been handed over by then; nothing is, after it.
    """

    __slots__ = ()

    def on_ws_close(self, payload: bytes) -> None:
        """Take the payload of the close frame."""
        raise NotImplementedError

    def on_ws_breach(self, error: ProtocolError) -> None:
        """Take how the peer broke the protocol."""
        raise NotImplementedError


class FramingProtocol(_PicowsProtocol):
    """One connection's bytes on their way to picows. Its listener must be an `EndListener`."""

    __slots__ = ("_inflow", "_tail")

    def __init__(self, *, is_client_side: bool, max_frame_size: int, **settings: Any) -> None:
        super().__init__(is_client_side=is_client_side, max_frame_size=sys.maxsize, **settings)
        self._inflow = Inflow(masked=not is_client_side, payload_bytes_max=max_frame_size)
        self._tail = b""  # the last bytes of the handshake's head, as long as that is not whole

    def buffer_updated(self, nbytes: int) -> None:
        """Take `nbytes` bytes, which are in the buffer that picows offered last."""
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
            self._tell_end()

    def _read_head(self, data: bytes) -> None:
        """Hand over the handshake's head alone; frames may stand right behind it."""
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
            self._tell_end()

    def abort(self) -> None:
        """End the connection at once."""
        self.transport.disconnect(False)

    def _tell_end(self) -> None:
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
