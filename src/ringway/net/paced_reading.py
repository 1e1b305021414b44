"""Paced reading: a connection is read a few times a second, and all that has come is read at once.

A thousand members report a thousand times a second. To wake up for each report costs a multiple of reading it. So after
each read the transport is paused; meanwhile the messages wait in the buffers of the system, in their order, and the
next read gets them all. A long read is handled in pieces, one in each turn of the loop, so that other connections are
served between them.

Bound: one read of the loop (256 KiB) waits here. Overflow rule: the rest waits at the server, which ends the connection
of a reader that is too slow.
"""

import asyncio
from collections.abc import Callable

READ_PAUSE_S = 0.05
"""The pause between two reads of reports: short beside the time between two reports of a member."""

PIECE_BYTES = 4096
"""How much is handled in one turn: some thirty beats, in a millisecond, or ten introductions of members that join."""


class PacedReading:
    """The reading of one connection. `feed` gets the bytes; it must not raise."""

    __slots__ = ("_feed", "_loop", "_next", "_pause_s", "_rest", "_stopped", "_transport")

    def __init__(self, feed: Callable[[bytes], None], pause_s: float) -> None:
        self._feed = feed
        self._pause_s = pause_s
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self._next: asyncio.Handle | None = None
        self._stopped = False

    def receive(self, data: bytes, transport: asyncio.Transport) -> None:
        """Handle `data`, and pause `transport`. What is handled already is never handled again, also after `stop`."""
        self._rest += data
        if self._next is None:  # otherwise it came in spite of the pause
            self._transport = transport
            transport.pause_reading()
            self._handle_piece()

    def stop(self) -> None:
        """Handle nothing more: the connection has ended."""
        self._stopped = True
        self._rest = b""
        self._transport = None
        if self._next is not None:
            self._next.cancel()

    def _handle_piece(self) -> None:
        piece, self._rest = self._rest[:PIECE_BYTES], self._rest[PIECE_BYTES:]
        self._next = None
        self._feed(piece)
        if self._stopped:
            return
        if self._rest:
            self._next = self._loop.call_soon(self._handle_piece)
        else:
            self._next = self._loop.call_later(self._pause_s, self._read_on)

    def _read_on(self) -> None:
        self._next = None
        if self._rest:
            self._handle_piece()
        elif self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
