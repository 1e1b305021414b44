"""Handshake of a connection, from its accept to the answer: the head is read and checked here, before picows.

picows reads heads too, but with its own bounds and answers. So picows gets the connection only when its request was
admitted, with a head of a few lines in place of the client's head: then compiled code reads the frames, and no part of
the client's head stays in memory.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from picows import WSListener, WSUpgradeRequest, WSUpgradeResponse, WSUpgradeResponseWithListener

from ringway.core.address import EXEMPT, address_of
from ringway.errors import UpgradeError
from ringway.framing import FramingProtocol
from ringway.node.config.node import NodeConfig
from ringway.node.connection.flow import TURN_BYTES
from ringway.node.connection.pending_handshakes import PendingHandshakes
from ringway.protocol.forwarded import Network, is_trusted
from ringway.protocol.head import HeadReader, RequestHead
from ringway.protocol.proxy_header import Peer, Source, peer_of
from ringway.protocol.response import answer_to, node_refusal
from ringway.protocol.upgrade import value_of


class Accepted:
    """The answer to an admitted request: the listener that receives the frames, and the subprotocol (empty: none).

    picows stores it as long as the connection, so it is small: no closure, no tuple.
    """

    __slots__ = ("_listener", "_protocol")

    def __init__(self, listener: WSListener, protocol: str) -> None:
        self._listener = listener
        self._protocol = protocol

    def __call__(self, _: WSUpgradeRequest) -> WSUpgradeResponseWithListener:
        """Answer the request, in the form that picows requires."""
        headers = [("Sec-WebSocket-Protocol", self._protocol)] if self._protocol else None
        return WSUpgradeResponseWithListener(WSUpgradeResponse.create_101_response(headers), self._listener)


AnswerRequest = Callable[[RequestHead, Peer], Accepted | bytes]
"""Checks one request; raises `UpgradeError` to refuse it. Bytes are the whole answer to a request of no client."""

ROOM = memoryview(bytearray(TURN_BYTES))
"""The buffer for incoming bytes before picows: all handshakes share it, since its bytes are consumed at once."""

MakeProtocol = Callable[[Callable[[WSUpgradeRequest], WSUpgradeResponseWithListener]], FramingProtocol]
"""Makes the protocol of picows that continues a connection; its argument answers the request."""


class Handshake(asyncio.BufferedProtocol):
    """One connection until its request is answered; `pending` counts it from its accept on."""

    __slots__ = (
        "_answer_request", "_config", "_make_protocol", "_peer", "_pending", "_reader", "_source", "_timer", "_trusted",
        "transport",
    )  # fmt: skip

    transport: asyncio.Transport

    def __init__(
        self,
        config: NodeConfig,
        pending: PendingHandshakes,
        answer_request: AnswerRequest,
        make_protocol: MakeProtocol,
        trusted: tuple[Network, ...] = (),
        source: Source | None = None,
    ) -> None:
        self._source = source  # of a connection with TLS
        self._trusted = trusted
        self._config = config
        self._pending = pending
        self._answer_request = answer_request
        self._make_protocol = make_protocol
        self._timer: asyncio.TimerHandle | None = None
        self._peer: object = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, if there is room."""
        self.transport = cast(asyncio.Transport, transport)
        self._peer = transport.get_extra_info("peername")
        ip = peer_of(None, self._peer).ip
        trusted = is_trusted(ip, self._trusted)
        if not self._pending.on_accepted(self, EXEMPT if trusted else address_of(ip)):
            self._pending.refuse_for_room(self.transport)
            return
        config = self._config
        proxied = trusted and config.proxy_protocol and self._source is None  # with TLS, the header came before it
        self._reader = HeadReader(config.head_bytes_max, config.headers_max, proxied=proxied, source=self._source)
        self._timer = asyncio.get_running_loop().call_later(self._config.handshake_deadline_s, self._expire)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop counting the handshake."""
        self._leave()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return the buffer for bytes of the head; the first frames of one turn may follow the head."""
        return ROOM

    def buffer_updated(self, nbytes: int) -> None:
        """Read the next bytes of the head."""
        reader = self._reader
        heads = reader.feed(bytes(ROOM[:nbytes]))
        if heads:
            self._pending.on_request(self)
            self._end_timer()
            self.transport.pause_reading()
            self._pending.turns.take(partial(self._answer, heads[0], reader.rest or b""))
        elif reader.problem is not None:
            self._refuse(reader.problem, reader.method)

    def abort(self) -> None:
        """End the connection at once."""
        self.transport.abort()

    def _answer(self, head: RequestHead, rest: bytes) -> None:
        transport = self.transport
        if transport.is_closing():
            return
        try:
            accepted = self._answer_request(head, peer_of(head.source, self._peer))
        except UpgradeError as error:
            self._refuse(error, head.method)
            return
        if isinstance(accepted, bytes):
            self._leave()
            self._pending.close_after(transport, accepted)
            return
        self._reader.close()
        protocol = self._make_protocol(accepted)
        self._pending.on_replaced(self, protocol)
        protocol.connection_made(transport)
        transport.set_protocol(protocol)
        _feed(transport, protocol, _HEAD % (value_of(head.headers, "sec-websocket-key") or "").encode("latin-1"))
        _feed(transport, protocol, rest)
        if not transport.is_closing():
            transport.resume_reading()

    def _refuse(self, error: UpgradeError, method: str = "") -> None:
        self._leave()
        self._pending.close_after(self.transport, answer_to(method, node_refusal(error)))

    def _expire(self) -> None:
        """End the connection because its time has passed; with an answer if its head had begun."""
        self._timer = None
        if self._reader.partial:
            self._refuse(UpgradeError(408, "the request head was not complete in time (handshake_deadline_s)"))
        else:
            self._leave()
            self.transport.abort()

    def _leave(self) -> None:
        self._end_timer()
        self._pending.on_lost(self)

    def _end_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


_HEAD = (
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: %b\r\n\r\n"
)
"""The head of every admitted request for picows."""


def _feed(transport: asyncio.Transport, protocol: Any, data: bytes) -> None:
    """Pass `data` to `protocol` as a transport does: in pieces of the size of its buffer, until it closes."""
    while data and not transport.is_closing():
        room = protocol.get_buffer(-1)
        size = min(len(room), len(data))
        room[:size] = data[:size]
        protocol.buffer_updated(size)
        data = data[size:]
