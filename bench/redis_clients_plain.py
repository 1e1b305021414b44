"""Redis by a plain `asyncio.Protocol`, without a client library.

Replies and messages are parsed by `hiredis.Reader`, in C; all data of one loop turn is sent in one write.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import hiredis

Pack = Callable[[bytes, bytes], bytes]
"""Makes the command that publishes to a channel a payload."""


def pack_by_hiredis(channel: bytes, payload: bytes) -> bytes:
    """Make a PUBLISH in C."""
    words: Any = (b"PUBLISH", channel, payload)  # its stub has one word only
    packed: bytes = hiredis.pack_command(words)
    return packed


def pack_by_hand(channel: bytes, payload: bytes) -> bytes:
    """Make a PUBLISH by a format string."""
    return b"*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(channel), channel, len(payload), payload)


class Caller(asyncio.Protocol):
    """Sends commands and awaits their replies, in order."""

    def __init__(self) -> None:
        self._reader = hiredis.Reader()
        self._waiting: deque[asyncio.Future[object]] = deque()
        self._counted: deque[list[int]] = deque()
        self._commands: list[bytes] = []
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def batch(self, commands: Sequence[bytes]) -> asyncio.Future[object]:
        """Send `commands` at once; the future is done when the last command is answered."""
        future = self._loop.create_future()
        self._waiting.append(future)
        self._counted.append([len(commands)])
        self._transport.write(b"".join(commands))
        return future

    def one(self, command: bytes) -> asyncio.Future[object]:
        """Send `command` at the end of this loop turn; the future is done when it is answered."""
        future = self._loop.create_future()
        self._waiting.append(future)
        self._counted.append([1])
        if not self._commands:
            self._loop.call_soon(self._flush)
        self._commands.append(command)
        return future

    def _flush(self) -> None:
        self._transport.write(b"".join(self._commands))
        self._commands.clear()

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not False:
            left = self._counted[0]
            left[0] -= 1
            if not left[0]:
                self._counted.popleft()
                self._waiting.popleft().set_result(reply)

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()


class Listener(asyncio.Protocol):
    """Counts the messages of a channel, like a server that delivers them."""

    def __init__(self, channel: str) -> None:
        self._channel = channel.encode()
        self._reader = hiredis.Reader()
        self._left = 0
        self._done = asyncio.get_running_loop().create_future()
        self.subscribed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(b"*2\r\n$9\r\nSUBSCRIBE\r\n$%d\r\n%b\r\n" % (len(self._channel), self._channel))

    async def receive(self, count: int) -> None:
        """Return when `count` more messages have arrived."""
        self._left, self._done = count, asyncio.get_running_loop().create_future()
        await self._done

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (message := self._reader.gets()) is not False:
            kind, channel, payload = message
            if kind == b"message":
                self._deliver(channel, payload)
            else:
                self.subscribed.set_result(None)

    def _deliver(self, channel: bytes, payload: bytes) -> None:
        self._left -= 1
        if not self._left:
            self._done.set_result(None)

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()


@asynccontextmanager
async def calling(port: int) -> AsyncIterator[Caller]:
    """Connect; close the connection with the block."""
    _, caller = await asyncio.get_running_loop().create_connection(Caller, "127.0.0.1", port)
    try:
        yield caller
    finally:
        caller.close()


@asynccontextmanager
async def listening(port: int, channel: str) -> AsyncIterator[Listener]:
    """Connect and subscribe; close the connection with the block."""
    loop = asyncio.get_running_loop()
    _, listener = await loop.create_connection(lambda: Listener(channel), "127.0.0.1", port)
    await listener.subscribed
    try:
        yield listener
    finally:
        listener.close()


async def all_of(futures: Iterable[asyncio.Future[object]]) -> None:
    """Await `futures` in order, without tasks."""
    for future in list(futures):
        await future
