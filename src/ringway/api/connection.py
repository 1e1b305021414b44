"""A connection of an API port: HTTP/1.1 requests in, answers of an ASGI application out, in the order of requests.

A whole request must arrive by a deadline, which begins when the connection opens and after each answer. So half a head,
or an empty line now and then, holds no connection. While a request is answered, nothing more is read. A peer that does
not read its answers is given up after the same time.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import httptools

from ringway.api.admission import ApiConnections
from ringway.api.application import Receive, Send
from ringway.api.plain_parser import PlainParser
from ringway.tasks import Tasks

Asgi = Callable[[Mapping[str, Any], Receive, Send], Awaitable[None]]

HEAD_BYTES_MAX = 65_536

_FULL = '{"error":"the %s has as many connections as it may (%s.connections_max); come again later"}'
_TOO_LATE = '{"error":"the request was not complete in time (%s.request_deadline_s)"}'
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(slots=True)
class _Incoming:
    """A request, as far as it has arrived."""

    target: bytes = b""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    method: str = ""
    path: str = ""
    query: bytes = b""
    keep_alive: bool = True


@dataclass(frozen=True, slots=True)
class _Refusal:
    """An answer to bytes that are not a valid request; the connection ends after it."""

    status: int
    text: str


_INVALID = _Refusal(400, "Invalid HTTP request received.")


class ApiConnection(asyncio.Protocol):
    """One connection, from its opening to its end. `tasks` run the application."""

    transport: asyncio.Transport

    def __init__(self, app: Asgi, admission: ApiConnections, tasks: Tasks) -> None:
        self._app = app
        self._admission = admission
        self._limits = admission.limits
        self._tasks = tasks
        self._parser = PlainParser(self)
        self._incoming = _Incoming()
        self._begun = False  # a part of a request has arrived
        self._in_head = False  # the head of that request is not complete
        self._head_bytes = 0  # bytes of that head after the read in which it began
        self._waiting: deque[_Incoming | _Refusal] = deque()
        self._answering = False
        self._stopping = False
        self._timer: asyncio.TimerHandle | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    @property
    def target(self) -> bytes:
        """The target of the request under way."""
        return self._incoming.target

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """The headers of the request under way."""
        return self._incoming.headers

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, or refuse the connection if there is no room."""
        self.transport = transport
        if self._admission.admit(self):
            self._expect_request()
        else:
            full = _FULL % (self._limits.port, self._limits.section)
            self._write_last(503, full.encode(), ("retry-after", "1"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection; an answer under way is dropped."""
        self._stop_timer()
        self._writable.set()
        self._admission.on_lost(self)

    def pause_writing(self) -> None:
        """Delay the next answer until the peer reads."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Continue with answers."""
        self._writable.set()

    def stop(self) -> None:
        """End the connection after the answer under way; at once if no answer is under way."""
        self._stopping = True
        if not self._answering:
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Parse the received bytes, and begin to answer."""
        if self.transport.is_closing():
            return
        if self._in_head:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._waiting.append(_INVALID)
        if self._in_head and self._head_bytes > HEAD_BYTES_MAX:
            self._waiting.append(_Refusal(431, "The head of the request is too long."))
        if self._waiting and not self._answering:
            self._answering = True
            self._admission.on_request(self)
            self.transport.pause_reading()
            self._tasks.spawn(self._answer_waiting(), name="API answer")

    def on_message_begin(self) -> None:
        """A request begins."""
        self._incoming = _Incoming()
        self._begun = self._in_head = True
        self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        """A part of the target has arrived."""
        self._incoming.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header has arrived."""
        self._incoming.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """The head is complete."""
        if self._parser.wants_upgrade:
            return
        self._in_head = False
        self._incoming.method = self._parser.method
        self._incoming.keep_alive = self._parser.keeps_alive
        if (b"expect", b"100-continue") in ((name, value.lower()) for name, value in self._incoming.headers):
            self.transport.write(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        """A part of the body has arrived. Bytes beyond the bound are dropped, and the request is refused."""
        if len(self._incoming.body) <= self._limits.body_bytes_max:
            self._incoming.body += body

    def on_message_complete(self) -> None:
        """A request is complete: from now on the delay is ours, so the timer stops."""
        if self._parser.wants_upgrade:
            return  # its head is parsed again
        self._stop_timer()
        self._begun = False
        try:
            url = httptools.parse_url(self._incoming.target)
            self._incoming.path = unquote(url.path.decode("ascii"))
            self._incoming.query = url.query or b""
        except (httptools.HttpParserError, UnicodeDecodeError, AttributeError):
            self._waiting.append(_INVALID)
        else:
            self._waiting.append(self._incoming)

    async def _answer_waiting(self) -> None:
        """Answer the waiting requests in their order; then expect the next request."""
        while self._waiting and not self.transport.is_closing():
            request = self._waiting.popleft()
            if isinstance(request, _Refusal):
                self._write_last(request.status, request.text.encode(), ("content-type", "text/plain; charset=utf-8"))
                break
            try:
                status, headers, body = await self._run_app(request)
            except BaseException:
                self.transport.abort()
                raise
            if self.transport.is_closing():
                break
            last = not request.keep_alive or (self._stopping and not self._waiting)
            self._write(status, headers, b"" if request.method == "HEAD" else body, last=last)
            if last:
                self.transport.close()
                break
            await self._wait_until_writable()
        self._answering = False
        if self._stopping:
            self.transport.close()
        elif not self.transport.is_closing():
            self._admission.expect_request(self)
            self._expect_request()
            self.transport.resume_reading()

    async def _wait_until_writable(self) -> None:
        try:
            async with asyncio.timeout(self._limits.request_deadline_s):
                await self._writable.wait()
        except TimeoutError:
            self.transport.abort()

    async def _run_app(self, request: _Incoming) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """Return status, headers and body of the application's answer."""
        parts: list[bytes] = []
        started: dict[str, Any] = {}

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": bytes(request.body), "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                started.update(message)
            else:
                parts.append(message.get("body", b""))

        await self._app(
            {
                "type": "http",
                "asgi": {"version": "3.0"},
                "http_version": "1.1",
                # HEAD is answered as GET, without the body (RFC 9110, 9.3.2).
                "method": "GET" if request.method == "HEAD" else request.method,
                "scheme": "http",
                "path": request.path,
                "raw_path": request.target.partition(b"?")[0],
                "query_string": request.query,
                "root_path": "",
                "headers": request.headers,
                "client": self.transport.get_extra_info("peername"),
                "server": self.transport.get_extra_info("sockname"),
            },
            receive,
            send,
        )
        body = b"".join(parts)
        headers = list(started.get("headers", ()))
        return started["status"], headers, body

    def _write(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes, *, last: bool) -> None:
        now = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
        lines = [b"HTTP/1.1 %d %b" % (status, HTTPStatus(status).phrase.encode()), b"date: " + now.encode()]
        lines += [b"%b: %b" % header for header in headers]
        lines += [b"connection: close"] if last else []
        self.transport.write(b"\r\n".join([*lines, b"", body]))

    def _write_last(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        """Write an answer that ends the connection."""
        said = {"content-type": "application/json", "content-length": str(len(body))} | dict(headers)
        raw = [(name.encode(), value.encode()) for name, value in said.items()]
        self._write(status, raw, body, last=True)
        self.transport.close()

    def _expect_request(self) -> None:
        self._stop_timer()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._limits.request_deadline_s, self._on_deadline)

    def _on_deadline(self) -> None:
        self._timer = None
        if self.transport.is_closing():
            return
        if self._begun:
            self._write_last(408, (_TOO_LATE % self._limits.section).encode())
        else:
            self.transport.abort()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
