"""Connections of the admin port: each owes a whole request by an absolute deadline, and there are only so many.

uvicorn answers them; what it leaves open is done here. Its keep-alive timer begins after the first answer and ends with
any byte, so half a head, or an empty line now and then, would hold a connection for ever.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ringway.core.address import EXEMPT, address_of
from ringway.core.pending import Pending

_FULL = b'{"error":"the admin port has as many connections as it may (admin.connections_max); come again later"}'
_NO_ROOM = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(_FULL), _FULL)
)
_TOO_LATE = b'{"error":"the request was not complete in time (admin.request_deadline_s)"}'
_LATE = (
    b"HTTP/1.1 408 Request Timeout\r\nContent-Type: application/json\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(_TOO_LATE), _TOO_LATE)
)


class AdminConnections:
    """All connections of one admin port. Those that owe a request make room for those that come new."""

    def __init__(
        self, connections_max: int, request_deadline_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.request_deadline_s = request_deadline_s
        self._connections_max = connections_max
        self._clock = clock
        self._owing: Pending[AdminConnection] = Pending()
        self._served: set[AdminConnection] = set()

    def __len__(self) -> int:
        return len(self._owing) + len(self._served)

    def enter(self, connection: "AdminConnection") -> bool:
        """Take a new connection in; False where all others are being answered, so that there is no room."""
        if len(self) >= self._connections_max:
            victim = self._owing.victim(self._clock(), self._address(connection)) or self._owing.oldest()
            if victim is None:
                return False
            self.leave(victim)
            victim.transport.abort()
        self.owes(connection)
        return True

    def owes(self, connection: "AdminConnection") -> None:
        """Expect a request of a connection."""
        self._served.discard(connection)
        self._owing.remove(connection)
        self._owing.add(connection, self._address(connection), self._clock())

    def _address(self, connection: "AdminConnection") -> str:
        peer = connection.transport.get_extra_info("peername")
        return address_of(peer[0]) if isinstance(peer, tuple) else EXEMPT

    def asked(self, connection: "AdminConnection") -> None:
        """Take note that a whole request has come."""
        if self._owing.remove(connection) is not None:
            self._served.add(connection)

    def leave(self, connection: "AdminConnection") -> None:
        """Forget a connection. Idempotent."""
        self._owing.remove(connection)
        self._served.discard(connection)


class PlainParser:
    """A parser of requests that ignores a wish for another protocol, such as h2c (RFC 9110, 7.8).

    httptools takes such a request to be without a body, and leaves what follows to its caller. So the head is read
    again without the wish, by a new parser. `again` gives it.
    """

    def __init__(self, connection: "AdminConnection", again: Callable[[], bytes]) -> None:
        self._connection = connection
        self._again = again
        self._inner = self._new()

    def feed_data(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        while True:
            try:
                self._inner.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                if not self.wishes:
                    raise
                data = self._again() + data[upgrade.args[0] :]
                self._inner = self._new()
            else:
                return

    @property
    def wishes(self) -> bool:
        """Whether the request under way wishes for another protocol. CONNECT wishes for a tunnel, which is not this."""
        return bool(self._inner.should_upgrade()) and self._inner.get_method() != b"CONNECT"

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def _new(self) -> httptools.HttpRequestParser:
        inner = httptools.HttpRequestParser(self._connection)
        inner.set_dangerous_leniencies(
            lenient_data_after_close=True
        )  # as uvicorn does: what is asked first is answered
        return inner


class AdminConnection(HttpToolsProtocol):
    """One connection, as uvicorn serves it, with its deadline."""

    parser: PlainParser  # type: ignore[assignment]

    def __init__(self, all_: AdminConnections, **given: Any) -> None:
        super().__init__(**given)
        self._all = all_
        self._timer: asyncio.TimerHandle | None = None
        self._begun = False  # a part of a request has come
        self.parser = PlainParser(self, self._plain_head)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, or refuse."""
        super().connection_made(transport)
        if self._all.enter(self):
            self._expect()
        else:
            transport.write(_NO_ROOM)
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note that the connection is over."""
        self._end_timer()
        self._all.leave(self)
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """A request begins."""
        self._begun = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """A head is whole."""
        if not self.parser.wishes:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """A request is whole: from now on it is ours to be late."""
        if self.parser.wishes:
            return  # its head is read again
        self._end_timer()
        self._begun = False
        self._all.asked(self)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """A request was answered: the next is expected."""
        super().on_response_complete()
        if not self.transport.is_closing() and not self.pipeline:
            self._all.owes(self)
            self._expect()

    def _plain_head(self) -> bytes:
        """Return the head of the request under way without its wish for another protocol."""
        first = b"%b %b HTTP/%b\r\n" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        lines = [b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        return b"%b%b\r\n" % (first, b"".join(lines))

    def _expect(self) -> None:
        self._end_timer()
        self._timer = self.loop.call_later(self._all.request_deadline_s, self._expire)

    def _expire(self) -> None:
        self._timer = None
        if self.transport.is_closing():
            return
        if self._begun and (self.cycle is None or self.cycle.response_complete):
            self.transport.write(_LATE)
            self.transport.close()
        else:
            self.transport.abort()

    def _end_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def protocol_of(all_: AdminConnections) -> type[asyncio.Protocol]:
    """Return what uvicorn makes for each connection."""

    def made(**given: Any) -> AdminConnection:
        return AdminConnection(all_, **given)

    return cast("type[asyncio.Protocol]", made)
