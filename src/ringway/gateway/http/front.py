"""One public connection of a gateway with routes that have `http=true`: requests in sequence, with their bodies.

The next request is read when the one before is answered. What comes meanwhile waits, up to the size of a head; then the
client is not read. The end of the client's stream ends its exchange: nobody is left to read the answer.
"""

import asyncio
from typing import cast

from ringway.errors import BodyError, UpgradeError
from ringway.gateway.exchange.exchange import Exchange
from ringway.gateway.exchange.exchanges import Exchanges
from ringway.gateway.http.connection import REQUESTS_PER_TURN
from ringway.gateway.http.connections import HttpConnections
from ringway.gateway.http.router import Router
from ringway.net.tls.listening import with_subject
from ringway.protocol.head import RequestHead
from ringway.protocol.message_body import MessageBody, body_of
from ringway.protocol.message_head import END, check_partial, read_request_head, refuse_body
from ringway.protocol.proxy_header import ProxyHeaderReader, Source
from ringway.protocol.response import answer_to, error_response
from ringway.protocol.upgrade import wants_upgrade


class FrontConnection(asyncio.Protocol):
    """Reads requests, answers them by the router, or has them carried by `exchanges`.

    Its owner closes it at `deadline`, which is that of a head, or of the idle time between two requests; while a
    request is being carried, the exchange has deadlines of its own.
    """

    __slots__ = (
        "_body", "_connections", "_data", "_exchange", "_exchanges", "_full", "_has_served", "_head", "_is_owned",
        "_proxy", "_reading", "_router", "_seen", "_source", "deadline", "transport",
    )  # fmt: skip

    transport: asyncio.Transport

    def __init__(
        self, router: Router, connections: HttpConnections, exchanges: Exchanges, source: Source | None = None
    ) -> None:
        self._router = router
        self._connections = connections
        self._exchanges = exchanges
        self._proxy: ProxyHeaderReader | None = None
        self._source = source  # known from the beginning with TLS
        self._data = b""  # what came and is not read yet
        self._seen = 0  # bytes of it that begin no whole head
        self._head: RequestHead | None = None  # of the request being answered
        self._body: MessageBody | None = None  # of the request under way, while it comes
        self._exchange: Exchange | None = None
        self._full = False  # answers wait for the client to read
        self._reading = True
        self._has_served = False  # a head was whole
        self._is_owned = False  # it still speaks HTTP here
        self.deadline = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = cast(asyncio.Transport, transport)
        if self._source is None:
            self._proxy = self._router.make_proxy_reader(transport)
        else:  # the PROXY header has come before TLS
            self._source = with_subject(self._source, transport)
        self._is_owned = True
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget everything: the connection is over."""
        exchange, self._exchange = self._exchange, None
        self._leave()
        if exchange is not None:
            exchange.on_client_lost()

    def eof_received(self) -> bool:
        """End the connection: the client has left."""
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.on_client_lost()
        return False

    def data_received(self, data: bytes) -> None:
        """Read the next bytes of the stream."""
        if not self._is_owned:
            return
        if self._proxy is not None:
            data = self._read_proxy(self._proxy, data)
        if self._body is not None:
            self._read_body(self._body, data)
            return
        waited = bool(self._data)
        self._data = self._data + data if waited else data
        if self._exchange is not None or self._full:
            self._set_reading()
            return
        self._read_requests()
        if self._is_owned and self._data and self._exchange is None:
            self._connections.on_partial_head(self)
            if not waited and self._has_served:
                self.deadline = self._connections.next_deadline(partial=True)

    def refuse(self, error: UpgradeError, method: str = "") -> None:
        """Answer a request of `method` with `error` and end the connection: nothing that follows can be trusted."""
        self._router.count_response(error.status)
        self._close_after(answer_to(method, error_response(error, close=True)))

    def expire(self) -> None:
        """End the connection because its deadline has passed; answer if a head had begun."""
        if self._data:
            self.refuse(UpgradeError(408, "the request head was not complete in time"))
        else:
            self._leave()
            self.transport.abort()

    def pause_writing(self) -> None:
        """The client does not read: pause the backend that answers, or the client that sends requests meanwhile."""
        self._full = True
        if self._exchange is not None:
            self._exchange.on_client_full()
        else:
            self._set_reading()

    def resume_writing(self) -> None:
        """The client has read its answers."""
        self._full = False
        if self._exchange is not None:
            self._exchange.on_client_ready()
        elif self._is_owned:
            self._go_on()

    # Calls of exchanges.

    def on_exchange_ready(self) -> None:
        """Read the client, or pause it, as its exchange can take more of the request."""
        self._set_reading()

    def on_exchange_over(self, *, keep: bool) -> None:
        """Go on with the next request, or end the connection."""
        self._exchange = None
        if not self._is_owned:
            return
        if not keep or self._body is not None:
            self._close_after(b"")
            return
        self._connections.come_back(self)
        if self._data:
            asyncio.get_running_loop().call_soon(self._go_on)
        else:
            self._set_reading()

    def on_exchange_failed(self, error: UpgradeError) -> None:
        """Answer with `error`; go on with the next request if the whole request has come."""
        self._exchange = None
        head = self._head
        if not self._is_owned or head is None:
            return
        self._connections.come_back(self)
        if self._body is not None or not head.keep_alive:
            self.refuse(error, head.method)
            return
        self._router.count_response(error.status)
        self.transport.write(answer_to(head.method, error_response(error, close=False)))
        asyncio.get_running_loop().call_soon(self._go_on)

    # Requests.

    def _go_on(self) -> None:
        """Read requests that have come while others were being answered."""
        if self._is_owned and self._exchange is None and not self.transport.is_closing():
            self._read_requests()

    def _read_requests(self) -> None:
        """Answer the requests that have come, as many as one turn of the event loop allows."""
        try:
            for _ in range(REQUESTS_PER_TURN):
                if self._full or not self._read_request():
                    break
            else:
                asyncio.get_running_loop().call_soon(self._go_on)
        except UpgradeError as error:
            self.refuse(error, self._head.method if self._head is not None else "")
        self._set_reading()

    def _read_request(self) -> bool:
        """Answer the next request; return True if the one after it may be read."""
        data = self._data
        if data.startswith(b"\r\n"):
            data = self._data = _without_blank_lines(data)
        if not data:
            return False
        self._head = None
        bytes_max = self._router.head_bytes_max
        end = data.find(END, max(0, self._seen - 3), bytes_max)
        if end < 0:
            check_partial(data, self._seen)
            self._seen = len(data)
            if len(data) >= bytes_max:
                raise UpgradeError(431, f"a request head may have {bytes_max} bytes (head_bytes_max)")
            return False
        self._seen = 0
        self._has_served = True
        head, length = read_request_head(data[: end + 2], self._router.headers_max, self._source)
        self._head, self._data = head, data[end + 4 :]
        return self._serve(head, length)

    def _serve(self, head: RequestHead, length: int) -> bool:
        if wants_upgrade(head.headers):
            self.transport.pause_reading()
            self._router.upgrade(self.transport, head, self._data)
            self._leave()
            return False
        if not self._router.answers(head):
            self._router.check_host(self.transport, head)
            routed = self._exchanges.find_request(self.transport, head)
            if routed is not None:
                self._router.count_request("http")
                exchange = self._exchanges.admit(self, head, length, routed)
                self._connections.pass_on(self)
                self._exchange = exchange
                if length:
                    self._body = body_of(length)
                    data, self._data = self._data, b""
                    self._read_body(self._body, data)
                if not exchange.is_over:
                    self._exchanges.start(exchange, routed)
                return False
        if length:
            raise refuse_body(head.method)
        return self._answer(head)

    def _answer(self, head: RequestHead) -> bool:
        """Answer a request that the gateway answers itself; return True if the connection goes on."""
        try:
            answer = self._router.respond(self.transport, head)
        except UpgradeError as error:
            if not head.keep_alive:
                raise
            self._router.count_response(error.status)
            answer = error_response(error, close=False)
        self.transport.write(answer_to(head.method, answer))
        if not head.keep_alive:
            self._close_after(b"")
            return False
        self.deadline = self._connections.next_deadline(partial=bool(self._data))
        self._connections.on_request(self)
        return True

    def _read_body(self, body: MessageBody | None, data: bytes) -> None:
        """Pass a piece of the body of a request to its exchange; what follows waits."""
        exchange = self._exchange
        if exchange is None or body is None or not data:  # it is over, and the connection is about to end
            return
        try:
            content, rest = body.feed_body(data)
        except BodyError as error:
            exchange.on_broken_request(error)
            return
        if content:
            exchange.send_content(content)
        if body.is_over:
            self._body = None
            self._data = rest
            exchange.finish_request()
        self._set_reading()

    def _read_proxy(self, proxy: ProxyHeaderReader, data: bytes) -> bytes:
        """Return the bytes behind the PROXY header; no bytes before it is whole, or if it is wrong."""
        try:
            self._source = proxy.feed(data)
        except UpgradeError as error:
            self.refuse(error)
            return b""
        if self._source is None:
            return b""
        self._proxy = None
        return proxy.rest

    def _set_reading(self) -> None:
        """Read the client, or pause it, as there is room for what it sends."""
        if not self._is_owned or self.transport.is_closing():
            return
        exchange = self._exchange
        if self._body is not None and exchange is not None:
            room = exchange.takes_more
        else:
            room = len(self._data) < self._router.head_bytes_max and not (self._full and exchange is None)
        if room and not self._reading:
            self._reading = True
            self.transport.resume_reading()
        elif not room and self._reading:
            self._reading = False
            self.transport.pause_reading()

    def _close_after(self, last: bytes) -> None:
        self._leave()
        self._connections.lingering.close_after(self.transport, last)

    def _leave(self) -> None:
        self._is_owned = False
        self._data = b""
        self._connections.remove(self)


def _without_blank_lines(data: bytes) -> bytes:
    """Return `data` without the empty lines before a request (RFC 9112, 2.2)."""
    at = 0
    while data.startswith(b"\r\n", at):
        at += 2
    return data[at:]
