"""One public connection while it speaks HTTP: plain requests in sequence, until an upgrade ends that."""

import asyncio
from typing import cast

from ringway.errors import UpgradeError
from ringway.gateway.http.connections import HttpConnections
from ringway.gateway.http.router import Router
from ringway.net.tls.listening import with_subject
from ringway.protocol.head import HeadReader, RequestHead
from ringway.protocol.proxy_header import Source
from ringway.protocol.response import answer_to, error_response
from ringway.protocol.upgrade import wants_upgrade

REQUESTS_PER_TURN = 16
"""Requests of one connection that are answered in one turn of the event loop, before the turn of other connections."""


class HttpConnection(asyncio.Protocol):
    """Reads requests, and writes the router's answers. Its owner closes it at `deadline`.

    That is a fixed time for each head; pieces of a head do not extend it. For the first head it is counted from the
    connection's beginning; empty lines before a head do not belong to it, and do not extend it.
    """

    __slots__ = ("_connections", "_full", "_reader", "_router", "_source", "_waiting", "deadline", "transport")

    transport: asyncio.Transport

    def __init__(self, router: Router, connections: HttpConnections, source: Source | None = None) -> None:
        self._source = source  # of a connection with TLS
        self._router = router
        self._connections = connections
        self._reader: HeadReader | None = None
        self._waiting: list[RequestHead] = []  # requests that came and are not answered yet
        self._full = False  # answers wait for the client to read
        self.deadline = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = cast(asyncio.Transport, transport)
        self._reader = self._router.make_reader(transport, with_subject(self._source, transport))
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget everything: the connection is over."""
        self._leave()

    def data_received(self, data: bytes) -> None:
        """Read the next bytes of the stream."""
        reader = self._reader
        if reader is None:
            return
        waited = reader.partial or not reader.served
        heads = reader.feed(data)
        if heads:
            self._waiting += heads
            self._answer(reader)
        elif reader.problem is not None:
            self.refuse(reader.problem, reader.method)
        elif reader.partial:
            self._connections.on_partial_head(self)
            if not waited:
                self.deadline = self._connections.next_deadline(partial=True)

    def refuse(self, error: UpgradeError, method: str = "") -> None:
        """Answer a request of `method` with `error` and end the connection: nothing that follows can be trusted."""
        self._router.count_response(error.status)
        self._close_after(answer_to(method, error_response(error, close=True)))

    def expire(self) -> None:
        """End the connection because its deadline has passed; answer if a head had begun."""
        reader = self._reader
        if reader is not None and reader.partial:
            self.refuse(UpgradeError(408, "the request head was not complete in time"))
        else:
            self._connections.remove(self)
            self.transport.abort()

    def pause_writing(self) -> None:
        """Pause a client that sends requests without reading the answers."""
        self._full = True
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        """Resume a client that has read its answers."""
        self._full = False
        if self._reader is not None and not self._waiting:
            self._read_on()

    def _answer(self, reader: HeadReader) -> None:
        """Answer the received requests, as many as one turn of the event loop allows."""
        turn, self._waiting = self._waiting[:REQUESTS_PER_TURN], self._waiting[REQUESTS_PER_TURN:]
        for head in turn:
            if not self._serve(head, reader):
                self._waiting.clear()
                return
        self.deadline = self._connections.next_deadline(partial=reader.partial)
        self._connections.on_request(self)
        if self._waiting:
            if not self.transport.is_closing():
                self.transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._go_on)
        elif reader.problem is not None:
            self.refuse(reader.problem, reader.method)

    def _go_on(self) -> None:
        """Answer further requests that came in one piece."""
        reader = self._reader
        if reader is None or self.transport.is_closing():
            return
        self._answer(reader)
        if self._reader is not None and not self._waiting:
            self._read_on()

    def _serve(self, head: RequestHead, reader: HeadReader) -> bool:
        """Answer one request; return True if the connection continues with the next request."""
        if wants_upgrade(head.headers):
            self._upgrade(head, reader)
            return False
        try:
            answer = self._router.respond(self.transport, head)
        except UpgradeError as error:
            if not head.keep_alive:
                self.refuse(error, head.method)
                return False
            self._router.count_response(error.status)
            answer = error_response(error, close=False)
        self.transport.write(answer_to(head.method, answer))
        if not head.keep_alive:
            self._close_after(b"")
        return head.keep_alive

    def _upgrade(self, head: RequestHead, reader: HeadReader) -> None:
        try:
            self.transport.pause_reading()
            self._router.upgrade(self.transport, head, reader.rest or b"")
        except UpgradeError as error:
            self.refuse(error, head.method)
        else:
            self._leave()

    def _close_after(self, last: bytes) -> None:
        self._leave()
        self._connections.lingering.close_after(self.transport, last)

    def _leave(self) -> None:
        self._reader = None
        self._connections.remove(self)

    def _read_on(self) -> None:
        if not (self._full or self.transport.is_closing()):
            self.transport.resume_reading()
