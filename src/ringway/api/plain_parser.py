"""A parser of HTTP requests that ignores requests to upgrade to other protocols, such as h2c (RFC 9110, 7.8)."""

from typing import Protocol

import httptools


class Head(Protocol):
    """The head of the request under way, as the parser's callbacks have gathered it."""

    @property
    def target(self) -> bytes:
        """The request's target, unchanged."""
        ...

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """Names in lower case, with their values."""
        ...


class PlainParser:
    """Parses requests, and calls `callbacks` as httptools does.

    httptools assumes that a request with an upgrade has no body, and leaves the following bytes to its caller. So a new
    parser parses the head again, without the upgrade. `wants_upgrade` is true until that has happened; meanwhile
    callbacks must ignore the request.
    """

    def __init__(self, callbacks: Head) -> None:
        self._callbacks = callbacks
        self._inner = self._new()

    def feed_data(self, data: bytes) -> None:
        """Parse the next bytes of the stream. Raise `httptools.HttpParserError` if they are not HTTP."""
        while True:
            try:
                self._inner.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                if not self.wants_upgrade:
                    raise httptools.HttpParserError("a tunnel") from None
                data = self._plain_head() + data[upgrade.args[0] :]
                self._inner = self._new()
            else:
                return

    @property
    def wants_upgrade(self) -> bool:
        """True if the request under way asks for an upgrade. CONNECT asks for a tunnel, which is not an upgrade."""
        return bool(self._inner.should_upgrade()) and self._inner.get_method() != b"CONNECT"

    @property
    def method(self) -> str:
        """The method of the request under way."""
        return self._inner.get_method().decode("ascii")

    @property
    def keeps_alive(self) -> bool:
        """True if the peer may send more requests after the request under way."""
        return self._inner.get_http_version() != "1.0" and bool(self._inner.should_keep_alive())

    def _plain_head(self) -> bytes:
        """Return the head of the request under way without its upgrade."""
        version = self._inner.get_http_version().encode()
        first = b"%b %b HTTP/%b\r\n" % (self._inner.get_method(), self._callbacks.target, version)
        lines = [b"%b: %b\r\n" % header for header in self._callbacks.headers if header[0] != b"upgrade"]
        return b"%b%b\r\n" % (first, b"".join(lines))

    def _new(self) -> httptools.HttpRequestParser:
        inner = httptools.HttpRequestParser(self._callbacks)
        # Requests before the last request ("Connection: close") are answered, whatever comes after it.
        inner.set_dangerous_leniencies(lenient_data_after_close=True)
        return inner
