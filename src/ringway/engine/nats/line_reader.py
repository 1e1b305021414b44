"""Lines of a connection that is not established yet: the greeting, before messages flow."""

import asyncio
from typing import cast

from ringway.engine.abort import abort_transport
from ringway.engine.nats.failure import ServerRefused

GREETING_BYTES_MAX = 1 << 20
"""The most bytes before the greeting is over; an INFO of a large cluster has some KiB."""


class LineReader(asyncio.Protocol):
    """Receives a greeting until another protocol replaces it at the transport."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._ended: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def transport(self) -> asyncio.Transport:
        """The connection."""
        assert self._transport is not None
        return self._transport

    @property
    def ended(self) -> bool:
        """True if no more data can arrive."""
        return self._ended is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is established."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Store the next bytes."""
        self._received += data
        if len(self._received) > GREETING_BYTES_MAX:
            self._end(ServerRefused("its greeting has no end"))
            abort_transport(self.transport)
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._end(exc or ConnectionResetError("it hung up"))

    def _end(self, error: Exception) -> None:
        if self._ended is None:
            self._ended = error
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def read_line(self) -> bytes:
        """Return the next line, without its end. Raise what ended the connection if there is none."""
        while (end := self._received.find(b"\r\n")) < 0:
            if self._ended is not None:
                raise self._ended
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        line = bytes(self._received[:end])
        del self._received[: end + 2]
        return line

    def take_unread(self) -> bytes:
        """Return what arrived behind the last line, once."""
        unread = bytes(self._received)
        self._received.clear()
        return unread
