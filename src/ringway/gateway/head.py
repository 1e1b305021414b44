"""Reads HTTP/1.1 heads from the bytes of a public connection: bounded, strict, without a body.

httptools (llhttp in its strict mode) refuses bare LF, folded headers, spaces before a colon, control characters and
contradicting lengths by itself; `test_hostile_client.py` holds it to that. What it leaves open
is decided here: sizes, duplicate critical headers, bodies, the form of the target.
"""

import httptools

from ringway.errors import UpgradeError
from ringway.protocol.upgrade import HEAD_BYTES_MAX, HEADERS_MAX

_ONCE = frozenset(
    {
        b"host",
        b"content-length",
        b"transfer-encoding",
        b"upgrade",
        b"origin",
        b"sec-websocket-key",
        b"sec-websocket-version",
    }
)


class Head:
    """One request head. Header names are in lower case; values are Latin-1 text, as on the wire."""

    __slots__ = ("headers", "keep_alive", "method", "path", "query", "version")

    def __init__(
        self, method: str, path: str, query: str, version: str, headers: list[tuple[str, str]], keep_alive: bool
    ) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.version = version
        self.headers = headers
        self.keep_alive = keep_alive


class HeadReader:
    """Turns bytes into heads. After `problem` is set or `rest` is not None, feed it no more.

    `problem` says why what came after the returned heads cannot be trusted; answer it and close the connection.
    `rest` holds the bytes that followed the head of an upgrade: they are not HTTP.
    """

    __slots__ = ("_fed", "_headers", "_heads", "_parser", "_size", "_url", "partial", "problem", "rest", "served")

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._heads: list[Head] = []
        self._headers: list[tuple[str, str]] = []
        self._url = b""
        self._size = 0  # bytes of the current head that were parsed
        self._fed = 0  # bytes that came since the last whole head
        self.partial = False  # a head has begun and is not whole
        self.served = False  # a head was whole
        self.problem: UpgradeError | None = None
        self.rest: bytes | None = None

    def feed(self, data: bytes) -> list[Head]:
        """Return the heads that `data` completes, in order."""
        self._fed += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self.rest = data[upgrade.args[0] :]
        except httptools.HttpParserError as error:
            self._refuse(error)
        if self._fed > HEAD_BYTES_MAX and self.problem is None and self.rest is None:
            self.problem = UpgradeError(431, f"a request head may have {HEAD_BYTES_MAX} bytes")
        heads = self._heads
        if heads:
            self._heads = []
        return heads

    def _refuse(self, error: httptools.HttpParserError) -> None:
        if self.problem is not None:  # one of ours, raised in a callback
            return
        if isinstance(error, httptools.HttpParserInvalidMethodError):
            self.problem = UpgradeError(400, "the request does not begin with a method of HTTP")
        elif self._parser.get_http_version() not in ("0.0", "0.9", "1.0", "1.1"):
            self.problem = UpgradeError(505, "this server speaks HTTP/1.1")
        else:
            self.problem = UpgradeError(400, f"the request head is malformed: {error}")

    def _fail(self, status: int, message: str) -> None:
        self.problem = UpgradeError(status, message)
        raise self.problem

    # Called by the parser.

    def on_message_begin(self) -> None:
        """A head begins."""
        self.partial = True
        self._url = b""
        self._headers = []
        self._size = 0

    def on_url(self, url: bytes) -> None:
        """Take a piece of the target."""
        self._url += url
        self._size += len(url)
        if self._size > HEAD_BYTES_MAX:
            self._fail(431, f"a request head may have {HEAD_BYTES_MAX} bytes")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header, whole."""
        name = name.lower()
        self._size += len(name) + len(value) + 4
        if self._size > HEAD_BYTES_MAX:
            self._fail(431, f"a request head may have {HEAD_BYTES_MAX} bytes")
        if len(self._headers) >= HEADERS_MAX:
            self._fail(431, f"a request may have {HEADERS_MAX} headers")
        text = name.decode("latin-1")
        if name in _ONCE and any(text == known for known, _ in self._headers):
            self._fail(400, f"the header {text} stands twice")
        self._headers.append((text, value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        """Check what stands only when all headers are known."""
        version = self._parser.get_http_version()
        if version not in ("1.1", "1.0"):
            self._fail(505, f"this server speaks HTTP/1.1, not HTTP/{version}")
        has_host = False
        for name, value in self._headers:
            if name == "host":
                has_host = True
            elif name == "transfer-encoding" or (name == "content-length" and value.strip("0")):
                self._fail(400, "a request with a body is not taken here")
        if not has_host and version == "1.1":
            self._fail(400, "the Host header is missing")
        if self._url[:1] != b"/" or b"#" in self._url:
            self._fail(400, "the request target must be a path that begins with /")

    def on_message_complete(self) -> None:
        """Hand the head out."""
        parser = self._parser
        path, _, query = self._url.decode("latin-1").partition("?")
        version = parser.get_http_version()
        keep_alive = version == "1.1" and parser.should_keep_alive()
        self._heads.append(Head(parser.get_method().decode(), path, query, version, self._headers, keep_alive))
        self.partial = False
        self.served = True
        self._fed = 0
