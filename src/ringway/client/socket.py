"""Socket for any protocol: a bare WebSocket with the interface that users of the `websockets` library know.

The queue of received messages is bounded: when `max_queue` wait, reading stops, which stops the peer in the end; it
goes on when a quarter is left. Messages that were already read from the kernel are still queued.
"""

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Awaitable
from types import TracebackType
from typing import Self

from ringway.client.keepalive import ClientKeepalive
from ringway.client.wire import Wire
from ringway.errors import ConfigError, ConnectionClosed, ProtocolError
from ringway.protocol.close import NORMAL, REASON_BYTES_MAX, may_travel
from ringway.protocol.frame import BINARY, PING, TEXT
from ringway.types import NodeName

Data = str | bytes | bytearray | memoryview

_ENDS_QUIETLY = frozenset({1000, 1001, 1005})
"""Closes that end `async for` without an error: done, going away, and a close frame without a code."""


class Socket:
    """An open WebSocket. Made by `connect`; one task may receive at a time, any may send."""

    def __init__(self, *, max_queue: int | None, ping_interval: float | None, ping_timeout: float | None) -> None:
        self.moves = 0
        """The number of moves that this socket has followed, unnoticed by the program."""
        self._wire: Wire | None = None
        self._loop = asyncio.get_running_loop()
        self.opened_at = self._loop.time()
        """The time of its opening, or of its last move, by the event loop's clock."""
        self._queue: deque[str | bytes] = deque()
        self._high = max_queue
        self._low = (max_queue or 0) // 4
        self._reading = True
        self._reader: asyncio.Future[None] | None = None
        self._over = False
        self._keepalive = ClientKeepalive(ping_interval, ping_timeout, self._ping, self._silent)

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that the server chose, or None."""
        return self._wire.subprotocol if self._wire else None

    @property
    def close_code(self) -> int | None:
        """The code of the server's close frame: 1005 if it had no code, 1006 if no frame came; None while open."""
        return self._wire.close_code if self._wire else None

    @property
    def close_reason(self) -> str | None:
        """The reason of the server's close frame; None while open."""
        return self._wire.close_reason if self._wire and self._wire.close_code is not None else None

    async def send(self, message: Data) -> None:
        """Send `message`: a string as text, bytes as binary. Waits while too many bytes are unsent.

        Raise `ConnectionClosed` if the connection is over, `TypeError` for anything but text and bytes.
        """
        if isinstance(message, str):
            self._open_wire().send(TEXT, message.encode())
        elif isinstance(message, bytes | bytearray | memoryview):
            self._open_wire().send(BINARY, bytes(message))
        else:
            raise TypeError(f"a message is str or bytes, not {type(message).__name__}")
        await self._open_wire(closing=True).drain()

    async def recv(self) -> str | bytes:
        """Return the next message: text as a string, binary as bytes. Safe to cancel.

        Raise `ConnectionClosed` when everything that came before the end was read.
        """
        if self._reader is not None:
            raise RuntimeError("another task is receiving already; one at a time")
        while not self._queue:
            if self._over:
                raise self._closed_error()
            self._reader = self._loop.create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        message = self._queue.popleft()
        if not self._reading and len(self._queue) <= self._low:
            self._read(True)
        return message

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        """Messages as they come; ends when the connection is closed with 1000, 1001 or without a code."""
        try:
            while True:
                yield await self.recv()
        except ConnectionClosed as end:
            if end.code not in _ENDS_QUIETLY:
                raise

    async def ping(self, data: str | bytes | None = None) -> Awaitable[float]:
        """Send a ping; the result can be awaited for the pong, and then is the latency in seconds.

        `data` (at most 125 bytes; default: 4 random ones) must differ from pings that are unanswered.
        """
        self._open_wire()
        payload = os.urandom(4) if data is None else data.encode() if isinstance(data, str) else bytes(data)
        if len(payload) > 125:
            raise ConfigError(f"a ping carries at most 125 bytes, not {len(payload)} (RFC 6455, 5.5)")
        return self._keepalive.ping(payload)

    async def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Close the connection, with the close handshake; after `close_timeout` it is cut. Idempotent.

        Raise `ConfigError` for a code or reason that may not travel.
        """
        if not may_travel(code):
            raise ConfigError(f"the close code {code} may not be sent; give 1000 or one of 3000 to 4999")
        if len(reason.encode()) > REASON_BYTES_MAX:
            raise ConfigError(f"a close reason has at most {REASON_BYTES_MAX} bytes, not {len(reason.encode())}")
        wire = self._open_wire(closing=True)
        wire.finish(code, reason)
        await wire.wait_gone()

    async def wait_closed(self) -> None:
        """Return when the connection is over, closed by either end. Waiting messages can still be read."""
        await self._open_wire(closing=True).wait_gone()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close(NORMAL if kind is None else 1011)

    def _open_wire(self, *, closing: bool = False) -> Wire:
        if self._wire is None or (self._over and not closing):
            raise self._closed_error()
        return self._wire

    def _closed_error(self) -> ConnectionClosed:
        error = ConnectionClosed(self.close_code or 1006, self.close_reason or "")
        error.__cause__ = self._wire.failure if self._wire else None
        return error

    def _is_full(self) -> bool:
        return self._high is not None and len(self._queue) >= self._high

    def _read(self, wanted: bool) -> None:
        self._reading = wanted
        self._keepalive.hold(not wanted)
        if self._wire is not None:
            self._wire.read(wanted)

    def _ping(self, payload: bytes) -> None:
        if self._wire is not None and self._wire.is_open:
            self._wire.send(PING, payload)

    def _silent(self) -> None:
        if self._wire is not None:
            self._wire.fail(ProtocolError(1011, "keepalive: no pong in time"))

    # Calls of the wire.

    def opened(self, wire: Wire) -> None:
        """Store the wire, and start the keepalive."""
        self._wire = wire
        self._keepalive.start()

    def received(self, opcode: int, payload: bytes) -> None:
        """Queue a message; stop reading if that fills the queue."""
        self._keepalive.heard = True
        if self._is_full() and self._wire is not None and not self._wire.is_open:
            return  # after `close` the peer's answer must be read: earlier messages without room are dropped
        self._queue.append(payload.decode() if opcode == TEXT else payload)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
        if self._reading and self._is_full() and self._wire is not None and self._wire.is_open:
            self._read(False)

    def ponged(self, payload: bytes) -> None:
        """Match a pong with its ping."""
        self._keepalive.pong(payload)

    def moved(self, node: NodeName) -> None:
        """Repeat the unanswered pings: the former node does not answer them any more."""
        self.moves += 1
        self.opened_at = self._loop.time()
        self._keepalive.repeat()

    def closed(self, code: int, reason: str) -> None:
        """Wake the reader; waiting messages can still be read."""
        self._over = True
        self._keepalive.stop(self._closed_error())
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
