"""One GET over HTTP/1.1, over a connection of its own, with a bounded answer.

The request says `Connection: close`. There are no redirects and no compression. Deadlines are the caller's.
"""

import asyncio
import ssl as tls
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httptools

from ringway.errors import RingwayError
from ringway.net.process import connector

_READ_BYTES = 65536

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
    """True if the answer said where it ends; otherwise it ended with the connection."""


@asynccontextmanager
async def open_get(
    host: str,
    port: int,
    target: str,
    authority: str,
    *,
    headers: Headers = (),
    ssl: tls.SSLContext | None = None,
    timeout_s: float | None = None,
    limit: int = _READ_BYTES,
) -> AsyncIterator[asyncio.StreamReader]:
    """Connect, send `GET target` with `authority` as Host, and yield the answer; then abort the connection.

    `timeout_s` is for the connection alone, `limit` the longest line for `readline`. Raise the `OSError` of
    `Connector.open` if there is no connection.
    """
    reader, writer = await connector().streams(host, port, timeout_s, ssl=ssl, limit=limit)
    try:
        first = f"GET {target} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n"
        rest = "".join(f"{name}: {value}\r\n" for name, value in headers)
        writer.write(first.encode() + rest.encode("latin-1") + b"\r\n")
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
    collector = _Collector()
    parser = httptools.HttpResponseParser(collector)
    size = 0
    while not collector.complete and (data := await reader.read(_READ_BYTES)):
        size += len(data)
        if size > bytes_max:
            raise AnswerTooLong(bytes_max)
        try:
            parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise AnswerNotHttp(str(error)) from None
    if not size:
        raise AnswerCutOff("the connection was closed without an answer")
    if not collector.complete and (collector.delimited or not collector.has_head):
        raise AnswerCutOff("the answer was cut off")
    return HttpAnswer(parser.get_status_code(), tuple(collector.headers), bytes(collector.body), collector.complete)


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
        """True if the head says where the body ends."""
        return any(name in ("content-length", "transfer-encoding") for name, _ in self.headers)

    def on_body(self, piece: bytes) -> None:
        self.body += piece

    def on_message_complete(self) -> None:
        self.complete = True
