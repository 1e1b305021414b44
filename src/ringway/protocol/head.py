"""Heads of HTTP/1.1 requests, read from the bytes of a public connection: bounded, strict, without a body.

Gateway and node read the requests of strangers with this one reader. httptools (llhttp in its strict mode) refuses bare
LF, folded headers, spaces before a colon, control characters and contradicting lengths by itself
(`test_hostile_client.py` proves it). This module checks the rest: sizes, duplicate critical headers, bodies, the form
of the target, and unsupported upgrades.
"""

import re

import httptools

from ringway.errors import UpgradeError
from ringway.protocol.address import split_host
from ringway.protocol.proxy_header import SIGNATURE, ProxyHeaderReader, Source
from ringway.protocol.upgrade import HEAD_BYTES_MAX, HEADERS_MAX, wants_upgrade

ONCE = frozenset(
    {
        "host",
        "content-length",
        "transfer-encoding",
        "upgrade",
        "origin",
        "sec-websocket-key",
        "sec-websocket-version",
    }
)
"""Headers that stand once at most, by their names in lower case."""

_ABSOLUTE = re.compile(r"(?:https?|wss?)://([^/?#@\\]+)(/[^#]*|\?[^#]*|)", re.IGNORECASE)
"""A target with the server's name in it (RFC 9112, 3.2.2)."""

ALLOWED = (("Allow", "GET, HEAD"),)


class RequestHead:
    """One request head. Header names are in lower case; values are Latin-1 text, as on the wire.

    If the target named the server, `headers` hold that name as `host` (RFC 9112, 3.2.2). `source` is the origin of the
    connection by its PROXY header and its TLS; None without both.
    """

    __slots__ = ("headers", "keep_alive", "method", "path", "query", "source", "version")

    def __init__(
        self,
        method: str,
        path: str,
        query: str,
        version: str,
        headers: list[tuple[str, str]],
        keep_alive: bool,
        source: Source | None = None,
    ) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.version = version
        self.headers = headers
        self.keep_alive = keep_alive
        self.source = source


class HeadReader:
    """Turns bytes into heads. Once `problem` is set or `rest` is not None, `feed` must not be called any more.

    `problem` says why the bytes after the returned heads cannot be trusted: answer it and close the connection.
    `rest` holds the bytes that followed the head of a WebSocket handshake: they are not HTTP. With `proxied`, a PROXY
    header comes before the first head. `source` is the origin of a connection whose PROXY header was read before.
    """

    __slots__ = (
        "_bytes_max", "_fed", "_headers", "_headers_max", "_heads", "_parser", "_proxy", "_size", "_source", "_url",
        "partial", "problem", "rest", "served",
    )  # fmt: skip

    def __init__(
        self,
        head_bytes_max: int = HEAD_BYTES_MAX,
        headers_max: int = HEADERS_MAX,
        *,
        proxied: bool = False,
        source: Source | None = None,
    ) -> None:
        self._proxy = ProxyHeaderReader(head_bytes_max) if proxied else None
        self._source = source
        self._parser = httptools.HttpRequestParser(self)
        self._bytes_max = head_bytes_max
        self._headers_max = headers_max
        self._heads: list[RequestHead] = []
        self._headers: list[tuple[str, str]] = []
        self._url = b""
        self._size = 0  # bytes of the current head that were parsed
        self._fed = 0  # bytes that came since the last whole head
        self.partial = False  # a head has begun and is not whole
        self.served = False  # a head was whole
        self.problem: UpgradeError | None = None
        self.rest: bytes | None = None

    @property
    def method(self) -> str:
        """The method of the request under way; empty if unknown yet."""
        return self._parser.get_method().decode("latin-1") if self.partial and self._url else ""

    def feed(self, data: bytes) -> list[RequestHead]:
        """Return the heads that `data` completes, in order."""
        if self._proxy is not None:
            data = self._read_proxy(self._proxy, data)
        self._fed += len(data)
        try:
            self._parse(data)
        except httptools.HttpParserError as error:
            self._refuse(error, data)
        if self._fed > self._bytes_max and self.problem is None and self.rest is None:
            self.problem = self._too_large()
        heads = self._heads
        if heads:
            self._heads = []
        return heads

    def _read_proxy(self, proxy: ProxyHeaderReader, data: bytes) -> bytes:
        """Return the bytes behind the PROXY header; no bytes before it is whole, or if it is wrong."""
        try:
            self._source = proxy.feed(data)
        except UpgradeError as error:
            self.problem = error
            return b""
        if self._source is None:
            return b""
        self._proxy = None
        return proxy.rest

    def close(self) -> None:
        """Free the parser at once, which otherwise waits for the garbage collector. It ends the use of this object."""
        del self._parser

    def _parse(self, data: bytes) -> None:
        while data:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = data[upgrade.args[0] :]
            else:
                return
            if wants_upgrade(self._heads[-1].headers):
                self.rest = data
                return
            self._parser = httptools.HttpRequestParser(self)  # the upgrade is ignored: HTTP goes on

    def _refuse(self, error: httptools.HttpParserError, data: bytes) -> None:
        if self.problem is not None:  # found and raised in a callback
            return
        carried = self._source is not None and self._source.carried
        if data.startswith((b"PROXY ", SIGNATURE)) and not self.served and not carried:
            self.problem = UpgradeError(
                400,
                "a PROXY header came from an address that none is taken from; "
                "set proxy_protocol, and list the address in trusted_proxies",
            )
        elif isinstance(error, httptools.HttpParserInvalidMethodError):
            self.problem = UpgradeError(400, "the request does not begin with a method of HTTP")
        elif self._parser.get_http_version() not in ("0.0", "0.9", "1.0", "1.1"):
            self.problem = UpgradeError(505, "this server speaks HTTP/1.1")
        else:
            self.problem = UpgradeError(400, f"the request head is malformed: {error}")

    def _fail(self, status: int, message: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        self.problem = UpgradeError(status, message, headers)
        raise self.problem

    def _too_large(self) -> UpgradeError:
        return UpgradeError(431, f"a request head may have {self._bytes_max} bytes (head_bytes_max)")

    # Called by the parser.

    def on_message_begin(self) -> None:
        """A head begins."""
        self.partial = True
        self._url = b""
        self._headers = []
        self._size = 0

    def on_url(self, url: bytes) -> None:
        """Append a piece of the target."""
        self._url += url
        self._grow(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add one whole header."""
        name = name.lower()
        self._grow(len(name) + len(value) + 4)
        if len(self._headers) >= self._headers_max:
            self._fail(431, f"a request may have {self._headers_max} headers (headers_max)")
        text = name.decode("latin-1")
        if text in ONCE and any(text == known for known, _ in self._headers):
            self._fail(400, f"the header {text} stands twice")
        self._headers.append((text, value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        """Check the rules that need all headers."""
        version = self._parser.get_http_version()
        if version not in ("1.1", "1.0"):
            self._fail(505, f"this server speaks HTTP/1.1, not HTTP/{version}")
        host: str | None = None
        for name, value in self._headers:
            if name == "host":
                host = value
            elif name == "transfer-encoding" or (name == "content-length" and value.strip("0")):
                self._refuse_body()
        if host is None and version == "1.1":
            self._fail(400, "the Host header is missing")
        if host and split_host(host) is None:
            self._fail(400, "the Host header is no name[:port]")
        if self._url[:1] != b"/":
            try:
                target, self._headers = read_absolute(self._url.decode("latin-1"), self._headers)
            except UpgradeError as error:
                self.problem = error
                raise
            self._url = target.encode("latin-1")
        elif b"#" in self._url:
            self._fail(400, "the request target has a fragment; those are for the client alone")

    def on_message_complete(self) -> None:
        """Add the whole head to the result of `feed`."""
        parser = self._parser
        path, _, query = self._url.decode("latin-1").partition("?")
        version = parser.get_http_version()
        keep_alive = version == "1.1" and parser.should_keep_alive()
        self._heads.append(
            RequestHead(parser.get_method().decode(), path, query, version, self._headers, keep_alive, self._source)
        )
        self.partial = False
        self.served = True
        self._fed = 0

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > self._bytes_max:
            self.problem = self._too_large()
            raise self.problem

    def _refuse_body(self) -> None:
        method = self._parser.get_method().decode("latin-1")
        if method not in ("GET", "HEAD"):
            self._fail(405, f"nothing here takes {method}; ask with GET or HEAD", ALLOWED)
        self._fail(400, "a request with a body is not taken here")


def read_absolute(target: str, headers: list[tuple[str, str]]) -> tuple[str, list[tuple[str, str]]]:
    """Return the path in `target`, which names the server, and the headers with that name as `host`.

    Raise `UpgradeError` 400 if `target` is in no such form.
    """
    found = _ABSOLUTE.fullmatch(target)
    if found is None or split_host(found[1]) is None:
        raise UpgradeError(400, "the request target must be a path that begins with /, or http://host/path")
    path = found[2] if found[2].startswith("/") else "/" + found[2]
    return path, [("host", found[1]), *((name, value) for name, value in headers if name != "host")]
