"""Kept connections over HTTP/1.1 to one server: a POST with a bounded answer each, and no new connection for most.

A connection has one request at a time. It is kept for `idle_s` after an answer that allows it; bytes that nobody has
asked for end it. There are no redirects and no compression. Deadlines are the caller's; a call that is cancelled ends
its connection, since its answer may still come.

A server may close a kept connection in the moment in which a request is sent. Such a request has no answer at all. It
is sent again over a new connection only if the caller says that it may be repeated: the server may have carried it out.
"""

import asyncio
import ssl as tls
from collections.abc import Callable
from typing import cast

import httptools

from ringway.net.http_get import AnswerCutOff, AnswerNotHttp, AnswerTooLong, Headers, HttpAnswer, HttpAnswerError
from ringway.net.process import connector
from ringway.protocol.address import Url, authority

_USUAL_PORTS = {"http": 80, "https": 443}


class AnswerMissing(AnswerCutOff):
    """The connection was closed before the first byte of an answer."""


class HttpPool:
    """The kept connections to the server of `base`, at most `idle_max`; `tls_context` is for `https`.

    Each answer has at most `bytes_max` bytes, its head included. A connection must open in `connect_s`; None: no
    deadline of its own.
    """

    def __init__(
        self,
        base: Url,
        tls_context: tls.SSLContext | None,
        *,
        idle_max: int,
        idle_s: float,
        bytes_max: int,
        connect_s: float | None = None,
    ) -> None:
        self._base = base
        self._tls = tls_context if base.scheme == "https" else None
        self._idle_max = idle_max
        self._idle_s = idle_s
        self._bytes_max = bytes_max
        self._connect_s = connect_s
        self._idle: list[_KeptConnection] = []  # the last used is the last
        host = authority(base.host, base.port, _USUAL_PORTS[base.scheme])
        query = f"?{base.query}" if base.query else ""
        self._end = f"{query} HTTP/1.1\r\nHost: {host}\r\n"

    def __len__(self) -> int:
        """Return the number of kept connections."""
        return len(self._idle)

    async def post(self, body: bytes, headers: Headers, *, may_repeat: bool, under: str = "") -> HttpAnswer:
        """Send `body` to the path of the server, or to `under` below it; return the answer, whatever its status.

        Raise `OSError` if there is no connection, and `HttpAnswerError` if the answer cannot be used.
        """
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        head = f"POST {self._base.path + under or '/'}{self._end}{lines}Content-Length: {len(body)}\r\n\r\n"
        request = head.encode("latin-1") + body
        kept = self._take_kept()
        if kept is not None:
            try:
                return await self._exchange(kept, request)
            except AnswerMissing:
                if not may_repeat:
                    raise
        return await self._exchange(await self._open(), request)

    def close(self) -> None:
        """Close the kept connections."""
        while self._idle:
            self._idle.pop().abort()

    async def _open(self) -> "_KeptConnection":
        base = self._base
        try:
            async with asyncio.timeout(self._connect_s):
                _, connection = await connector().open(
                    lambda: _KeptConnection(self._bytes_max, self._forget), base.host, base.port, None, ssl=self._tls
                )
        except TimeoutError:
            raise ConnectionRefusedError(f"no connection to {base.host}:{base.port} came about in time") from None
        return connection

    async def _exchange(self, connection: "_KeptConnection", request: bytes) -> HttpAnswer:
        try:
            answer = await connection.exchange(request)
        except BaseException:
            connection.abort()
            raise
        if connection.is_reusable and len(self._idle) < self._idle_max:
            self._idle.append(connection)
        else:
            connection.abort()
        return answer

    def _take_kept(self) -> "_KeptConnection | None":
        """Return the kept connection that was used last; close those that have been idle for too long."""
        since = asyncio.get_running_loop().time() - self._idle_s
        while self._idle and self._idle[0].used_at < since:
            self._idle.pop(0).abort()
        return self._idle.pop() if self._idle else None

    def _forget(self, connection: "_KeptConnection") -> None:
        if connection in self._idle:
            self._idle.remove(connection)


class _KeptConnection(asyncio.Protocol):
    """One connection. The callbacks without docstrings are those of httptools."""

    def __init__(self, bytes_max: int, on_lost: "Callable[[_KeptConnection], None]") -> None:
        self._bytes_max = bytes_max
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._answered: asyncio.Future[HttpAnswer] | None = None
        self._size = 0
        self._has_head = self._has_length = False
        self._headers: list[tuple[str, str]] = []
        self._body = bytearray()
        self.is_reusable = False
        self.used_at = 0.0

    async def exchange(self, request: bytes) -> HttpAnswer:
        """Send a request, and return its answer."""
        if self._transport is None or self._transport.is_closing():
            raise AnswerMissing("the connection was closed without an answer")
        self._answered = self._loop.create_future()
        self._size = 0
        self.is_reusable = False
        self._transport.write(request)
        return await self._answered

    def abort(self) -> None:
        """Close the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Read a piece of an answer; end a connection on which nobody has asked."""
        if self._answered is None or self._parser is None:
            self.abort()
            return
        self._size += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(AnswerNotHttp(str(error)))
        else:
            if self._size > self._bytes_max:
                self._fail(AnswerTooLong(self._bytes_max))

    def connection_lost(self, exc: Exception | None) -> None:
        """End: an answer without a length is complete now, any other is cut off."""
        self._on_lost(self)
        if self._answered is not None:
            if not self._size:
                self._fail(AnswerMissing("the connection was closed without an answer"))
            elif self._has_head and not self._has_length and exc is None:
                self._finish(is_reusable=False)
            else:
                self._fail(AnswerCutOff("the answer was cut off"))
        self._transport = self._parser = None

    def on_message_begin(self) -> None:
        if self._answered is None:  # a second answer to one request: nobody can say to what the next one belongs
            self.is_reusable = False
            self.abort()
        self._has_head = self._has_length = False
        self._headers = []
        self._body = bytearray()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.decode("latin-1").lower(), value.decode("latin-1").strip()))

    def on_headers_complete(self) -> None:
        self._has_head = True
        self._has_length = any(name in ("content-length", "transfer-encoding") for name, _ in self._headers)

    def on_body(self, piece: bytes) -> None:
        self._body += piece

    def on_message_complete(self) -> None:
        assert self._parser is not None
        if self._parser.get_status_code() >= 200:  # before it, interim answers may come (RFC 9110, 15.2)
            self._finish(is_reusable=self._parser.should_keep_alive())

    def _finish(self, *, is_reusable: bool) -> None:
        if self._answered is None or self._parser is None:
            return
        status, headers = self._parser.get_status_code(), tuple(self._headers)
        answer = HttpAnswer(status, headers, bytes(self._body), complete=self._has_length)
        self.is_reusable = is_reusable
        self.used_at = self._loop.time()
        answered, self._answered = self._answered, None
        if self._size > self._bytes_max:
            _set(answered, AnswerTooLong(self._bytes_max))
        elif not answered.done():
            answered.set_result(answer)

    def _fail(self, error: HttpAnswerError) -> None:
        answered, self._answered = self._answered, None
        self.is_reusable = False
        if answered is not None:
            _set(answered, error)
        self.abort()


def _set(answered: asyncio.Future[HttpAnswer], error: HttpAnswerError) -> None:
    if not answered.done():
        answered.set_exception(error)
