"""Requests over HTTP/1.1, each over a connection of its own, with a bounded answer, or an answer that is read while it
comes.

The request says `Connection: close`. There are no redirects and no compression. Deadlines are the caller's, but
for `ask_api`, which is given one.
"""

import asyncio
import ssl as tls
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import httptools

from ringway.errors import RingwayError
from ringway.net.process import connector
from ringway.protocol.address import Url, authority

_READ_BYTES = 65536

_USUAL_PORTS = {"http": 80, "https": 443}

Headers = Sequence[tuple[str, str]]


class HttpAnswerError(RingwayError):
    """The answer to a GET cannot be used."""


class AnswerNotHttp(HttpAnswerError):
    """The answer is not HTTP; `detail` says why."""

    def __init__(self, detail: str = "") -> None:
        self.detail = detail
        super().__init__("the answer is not HTTP")


class AnswerTooLong(HttpAnswerError):
    """The answer has more bytes than the caller allows, its head included."""

    def __init__(self, bytes_max: int) -> None:
        super().__init__(f"the answer has more than {bytes_max} bytes")


class AnswerCutOff(HttpAnswerError):
    """The connection was closed before the answer was complete."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A complete answer."""

    status: int
    headers: tuple[tuple[str, str], ...]
    """Names in lower case."""
    body: bytes
    complete: bool = True
    """True if the answer had a length; otherwise it ended with the connection."""


def open_get(
    host: str,
    port: int,
    target: str,
    authority: str,
    *,
    headers: Headers = (),
    ssl: tls.SSLContext | None = None,
    tls_name: str = "",
    timeout_s: float | None = None,
    limit: int = _READ_BYTES,
) -> AbstractAsyncContextManager[asyncio.StreamReader]:
    """Open a GET, as `open_request` does."""
    return open_request(
        "GET",
        host,
        port,
        target,
        authority,
        headers=headers,
        ssl=ssl,
        tls_name=tls_name,
        timeout_s=timeout_s,
        limit=limit,
    )


@asynccontextmanager
async def open_request(
    method: str,
    host: str,
    port: int,
    target: str,
    authority: str,
    *,
    headers: Headers = (),
    body: bytes = b"",
    ssl: tls.SSLContext | None = None,
    tls_name: str = "",
    timeout_s: float | None = None,
    limit: int = _READ_BYTES,
) -> AsyncIterator[asyncio.StreamReader]:
    """Connect, send `method target` and the body, and yield the answer; then abort the connection.

    `authority` is the Host. With `ssl`, the certificate must be for `tls_name`, or for `host` if that is empty.
    `timeout_s` is for the connection alone, `limit` the longest line for `readline`. Raise the `OSError` of
    `Connector.open` if there is no connection.
    """
    reader, writer = await connector().streams(host, port, timeout_s, ssl=ssl, tls_name=tls_name, limit=limit)
    try:
        first = f"{method} {target} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n"
        length = (("Content-Length", str(len(body))),) if body or method != "GET" else ()
        rest = "".join(f"{name}: {value}\r\n" for name, value in (*headers, *length))
        writer.write(first.encode() + rest.encode("latin-1") + b"\r\n" + body)
        yield reader
    finally:
        writer.transport.abort()


async def read_status(reader: asyncio.StreamReader) -> int:
    """Return the status; the rest of the answer is not read. Raise `AnswerNotHttp`, or `ValueError` above the limit."""
    parts = (await reader.readline()).split(None, 2)
    if len(parts) < 2 or not parts[0].startswith(b"HTTP/1.") or not parts[1].isdigit() or len(parts[1]) > 3:
        raise AnswerNotHttp
    return int(parts[1])


async def read_answer(reader: asyncio.StreamReader, bytes_max: int) -> HttpAnswer:
    """Return the answer, of at most `bytes_max` bytes with its head; raise `HttpAnswerError`."""
    arriving = ArrivingAnswer(reader)
    while not arriving.complete and await arriving.read_more():
        if arriving.size > bytes_max:
            raise AnswerTooLong(bytes_max)
    return HttpAnswer(arriving.status, arriving.headers, arriving.take_body(), arriving.complete)


async def ask_api(
    method: str,
    base: Url,
    target: str,
    body: bytes = b"",
    *,
    headers: Headers = (),
    timeout_s: float,
    bytes_max: int,
    ssl: tls.SSLContext | None = None,
) -> HttpAnswer:
    """Send `method target` with a JSON body to the host of `base`, and return the answer, whatever its status.

    `ssl` is for `https`. Raise `OSError` or `TimeoutError` if there is no answer within `timeout_s`, `HttpAnswerError`
    if it cannot be used, or has more than `bytes_max` bytes; `why_unanswered` says each in words.
    """
    host = authority(base.host, base.port, _USUAL_PORTS[base.scheme])
    said = [("User-Agent", "ringway"), ("Content-Type", "application/json"), *headers]
    async with (
        asyncio.timeout(timeout_s),
        open_request(
            method, base.host, base.port, target, host, headers=said, body=body,
            ssl=ssl if base.scheme == "https" else None,
        ) as answering,
    ):  # fmt: skip
        return await read_answer(answering, bytes_max)


def why_unanswered(error: Exception, timeout_s: float) -> str:
    """Return in words why `ask_api` failed with `error`."""
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout_s:g} s"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return str(error)


class ArrivingAnswer:
    """An answer that is read while it comes, such as one whose body is a stream of events."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._collector = _Collector()
        self._parser = httptools.HttpResponseParser(self._collector)
        self.size = 0
        """The bytes that have come, those of the head included."""

    async def read_head(self, bytes_max: int = _READ_BYTES) -> int:
        """Read on until the head is complete, and return the status; raise `HttpAnswerError`."""
        while not self._collector.has_head:
            await self.read_more()
            if self.size > bytes_max and not self._collector.has_head:
                raise AnswerTooLong(bytes_max)
        return self.status

    async def read_more(self) -> bool:
        """Wait for the next bytes; return False if the answer has ended. Raise `HttpAnswerError`."""
        if self.complete:
            return False
        data = await self._reader.read(_READ_BYTES)
        if not data:
            self._check_end()
            return False
        self.size += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise AnswerNotHttp(str(error)) from None
        return True

    def take_body(self) -> bytes:
        """Return what has come of the body since the last call."""
        taken = bytes(self._collector.body)
        self._collector.body.clear()
        return taken

    def _check_end(self) -> None:
        if not self.size:
            raise AnswerCutOff("the connection was closed without an answer")
        if self._collector.delimited or not self._collector.has_head:
            raise AnswerCutOff("the answer was cut off")

    @property
    def complete(self) -> bool:
        """True if the answer had a length and has come whole."""
        return self._collector.complete

    @property
    def status(self) -> int:
        """The status, once the head has come."""
        return self._parser.get_status_code()

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """The headers that have come, names in lower case."""
        return tuple(self._collector.headers)


class _Collector:
    """Collects the parts of one answer; the callbacks are those of httptools."""

    def __init__(self) -> None:
        self.headers: list[tuple[str, str]] = []
        self.body = bytearray()
        self.has_head = False
        self.complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.decode("latin-1").lower(), value.decode("latin-1").strip()))

    def on_headers_complete(self) -> None:
        self.has_head = True

    @property
    def delimited(self) -> bool:
        """True if the head has the length of the body."""
        return any(name in ("content-length", "transfer-encoding") for name, _ in self.headers)

    def on_body(self, piece: bytes) -> None:
        self.body += piece

    def on_message_complete(self) -> None:
        self.complete = True
