"""Lingering close: after its last bytes a connection is read until its peer ends it, for a bounded time.

A close of a socket with unread input resets the connection, and the reset destroys the peer's unread bytes (RFC 9112,
9.6). So further input is read and dropped. nginx has the same under the same name.
"""

import asyncio
from collections.abc import Callable

from ringway.net.deadline import Deadline
from ringway.net.half_close import end_stream


class LingeringClose(asyncio.Protocol):
    """Becomes the protocol of `transport`, drops its input, and calls `on_lost` when the connection is over."""

    __slots__ = ("_on_lost", "transport")

    def __init__(self, transport: asyncio.Transport, on_lost: Callable[["LingeringClose"], None]) -> None:
        self.transport = transport
        self._on_lost = on_lost
        transport.set_protocol(self)

    def data_received(self, data: bytes) -> None:
        """Drop the input."""

    def eof_received(self) -> bool:
        """Let the transport close after all buffered bytes are written."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Report the end to the owner."""
        self._on_lost(self)


class LingeringCloses:
    """The connections of one owner that linger, each for `linger_s` at most; the owner bounds their number by `len`.

    With `extends`, a peer that still receives data gets more time (`net.deadline`).
    """

    __slots__ = ("_extends", "_linger_s", "_open")

    def __init__(self, linger_s: float, *, extends: bool = False) -> None:
        self._linger_s = linger_s
        self._extends = extends
        self._open: dict[LingeringClose, asyncio.TimerHandle | Deadline] = {}  # the oldest first

    def __len__(self) -> int:
        return len(self._open)

    def close_after(self, transport: asyncio.Transport, last: bytes, *, end: bool = True) -> None:
        """Own `transport` and write `last` to it, then the end of the stream unless `end` is False.

        Without the end the peer is to close first. A transport that is closing already is not touched.
        """
        if transport.is_closing():
            return
        transport.pause_reading()  # uvloop checks a protocol's way of receiving when it begins to read
        closing = LingeringClose(transport, self._forget)
        self._open[closing] = self._deadline(closing)
        if last:
            transport.write(last)
        if end and not end_stream(transport):
            transport.close()
        elif not transport.is_closing():
            transport.resume_reading()

    def cut_oldest(self) -> bool:
        """Abort the connection that has lingered longest, to make room; return False if there is none."""
        oldest = next(iter(self._open), None)
        if oldest is None:
            return False
        self._cut(oldest)
        return True

    def abort(self) -> None:
        """Abort all lingering connections."""
        while self.cut_oldest():
            pass

    def _deadline(self, closing: LingeringClose) -> asyncio.TimerHandle | Deadline:
        if self._extends:
            return Deadline(self._linger_s, (closing.transport,), lambda: self._cut(closing))
        return asyncio.get_running_loop().call_later(self._linger_s, self._cut, closing)

    def _cut(self, closing: LingeringClose) -> None:
        self._forget(closing)
        closing.transport.abort()

    def _forget(self, closing: LingeringClose) -> None:
        timer = self._open.pop(closing, None)
        if timer is not None:
            timer.cancel()
