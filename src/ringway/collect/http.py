"""One GET: the whole body of a 200, bounded, over a connection of its own.

HTTP/1.1 with `Connection: close`, no redirects, no compression. Deadlines are the caller's.
"""

import asyncio
import ssl
from typing import TYPE_CHECKING

from httptools import HttpParserError, HttpResponseParser

from ringway.collect.collector import CollectFailed, read_source
from ringway.net import connector
from ringway.protocol.address import authority

if TYPE_CHECKING:
    from collections.abc import Mapping

BODY_BYTES_MAX = 1 << 20
"""Of an answer with its head. A page of Prometheus metrics has some 100 KiB."""

_READ_BYTES = 65536

PORTS = {"http": 80, "https": 443}


class _Answer:
    """Collects what the parser finds."""

    def __init__(self) -> None:
        self.body = bytearray()
        self.framed = False  # the head says where the body ends
        self.complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.framed = self.framed or name.lower() in (b"content-length", b"transfer-encoding")

    def on_body(self, piece: bytes) -> None:
        self.body += piece

    def on_message_complete(self) -> None:
        self.complete = True


async def fetch(url: str, headers: "Mapping[str, str]", tls: ssl.SSLContext | None) -> bytes:
    """Return the body at `url`; raise `CollectFailed`, or `OSError` where there is no connection."""
    asked = read_source(url, PORTS)
    reader, writer = await connector().streams(
        asked.host, asked.port, None, ssl=tls if asked.scheme == "https" else None
    )
    try:
        path = (asked.path or "/") + (f"?{asked.query}" if asked.query else "")
        host = authority(asked.host, asked.port, PORTS[asked.scheme])
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: close", "User-Agent: ringway"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        return await _read(reader)
    finally:
        writer.transport.abort()


async def _read(reader: asyncio.StreamReader) -> bytes:
    answer = _Answer()
    parser = HttpResponseParser(answer)
    size = 0
    while not answer.complete and (piece := await reader.read(_READ_BYTES)):
        size += len(piece)
        if size > BODY_BYTES_MAX:
            raise CollectFailed(f"the answer has more than {BODY_BYTES_MAX} bytes; ask for less")
        try:
            parser.feed_data(piece)
        except HttpParserError:
            raise CollectFailed("the answer is not HTTP") from None
    if not size:
        raise CollectFailed("the connection was closed without an answer")
    if not answer.complete and answer.framed:
        raise CollectFailed("the answer was cut off")
    if parser.get_status_code() != 200:
        raise CollectFailed(f"the answer has the status {parser.get_status_code()}; it must be 200")
    return bytes(answer.body)
