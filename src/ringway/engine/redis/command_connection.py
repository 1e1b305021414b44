"""One connection to a Redis server, and the answers to what was sent over it, in order.

Commands of one loop turn leave in one write. Redis answers in the order of the commands, so an answer belongs to the
oldest command without one; a caller that no longer waits does not disturb that. `hiredis` reads and packs; what it
does not do, sockets and order, is here. `bench/redis_clients.py` measures what other clients would cost.

A connection that is silent is found out by `tick`: each asks something that Redis must answer.

Overflow rule: at most `UNTAKEN_BYTES_MAX` wait to be taken by the server; more is refused with `EngineAway`.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

import hiredis

from ringway.engine.abort import abort_transport
from ringway.engine.redis.errors import is_elsewhere, refusal
from ringway.errors import EngineAway, EngineError, Unconfirmed

UNTAKEN_BYTES_MAX = 64 << 20
"""How much may wait for a server that does not take it; more is refused."""

SILENT_TICKS_MAX = 3
"""After how many ticks without a byte, although asked, a connection is given up."""

Word = bytes | int | str
Then = Callable[[Any], None]
"""Takes an answer: bytes, a number, a list, None, or a `hiredis.ReplyError`."""


def pack(*words: Word) -> bytes:
    """Return a command as it is sent."""
    return cast(bytes, hiredis.pack_command(words))  # type: ignore[arg-type]  # tuples of any length will do


class Link(asyncio.Protocol):
    """A connection that asks; `Reach` connects it."""

    def __init__(self, on_loss: Callable[[], None], on_doubt: Callable[[], None]) -> None:
        self._on_loss = on_loss
        self.on_doubt = on_doubt
        """Called when the server says that it is not the one to ask."""
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._reader = hiredis.Reader()
        self._outbox: list[bytes] = []
        self._outbox_bytes = 0
        self._asked: deque[Then] = deque()
        self._silent_ticks = 0
        self.lost_by: Exception | None = None
        """What ended the connection, where that is known: TLS after its handshake, or words that are not Redis's."""

    @property
    def up(self) -> bool:
        """Whether the connection stands."""
        return self._transport is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self._transport = cast(asyncio.Transport, transport)

    def ask(self, command: bytes) -> asyncio.Future[Any]:
        """Send `command` at the end of this loop turn; the future gets the answer.

        Raise `EngineAway` where it cannot be sent. The future fails with `Unconfirmed` where the connection is lost
        before the answer, and with what `refusal` says where Redis refuses.
        """
        future: asyncio.Future[Any] = self._loop.create_future()

        def settle(answer: Any) -> None:
            if future.done():
                return
            if isinstance(answer, hiredis.ReplyError):
                future.set_exception(refusal(str(answer)))
            elif isinstance(answer, EngineError):
                future.set_exception(answer)
            else:
                future.set_result(answer)

        self.send(command, settle)
        return future

    def send(self, command: bytes, then: Then) -> None:
        """Send `command` at the end of this loop turn; `then` gets the answer, or `Unconfirmed` where none comes."""
        self.require()
        if self._untaken() + len(command) > UNTAKEN_BYTES_MAX:
            raise EngineAway(f"Redis does not keep up: {UNTAKEN_BYTES_MAX} bytes are on their way to it already")
        self._asked.append(then)
        self.write(command)

    def require(self) -> None:
        """Raise `EngineAway` where the connection does not stand."""
        if self._transport is None:
            raise EngineAway("Redis cannot be reached at the moment; retry")

    def write(self, command: bytes) -> None:
        """Send `command` at the end of this loop turn, whatever its answer."""
        if not self._outbox:
            self._loop.call_soon(self._flush)
        self._outbox.append(command)
        self._outbox_bytes += len(command)

    def _untaken(self) -> int:
        return self._outbox_bytes + (self._transport.get_write_buffer_size() if self._transport else 0)

    def _flush(self) -> None:
        commands, self._outbox = self._outbox, []
        self._outbox_bytes = 0
        if self._transport is not None and commands:
            self._transport.write(commands[0] if len(commands) == 1 else b"".join(commands))

    def data_received(self, data: bytes) -> None:
        """Take the next bytes from the server."""
        self._silent_ticks = 0
        reader = self._reader
        try:
            reader.feed(data)
            while (answer := reader.gets()) is not False:
                self.take(answer)
        except hiredis.ProtocolError as error:
            self.abort()
            self.lost_by = error

    def take(self, answer: Any) -> None:
        """Take one answer."""
        if not self._asked:
            self.abort()  # nothing was asked: this is not Redis, or it lost count
            return
        if isinstance(answer, hiredis.ReplyError) and is_elsewhere(str(answer)):
            self.on_doubt()
        self._asked.popleft()(answer)

    def tick(self, command: bytes, then: Then) -> None:
        """Ask something that must be answered; give the connection up where it has been silent for too long."""
        self._silent_ticks += 1
        if self._silent_ticks > SILENT_TICKS_MAX:
            self.abort()
        elif self._transport is not None:
            self.ping(command, then)

    def ping(self, command: bytes, then: Then) -> None:
        """Send what `tick` asks."""
        self._asked.append(then)
        self.write(command)

    def abort(self) -> None:
        """End the connection at once; what is not sent yet never arrives."""
        if self._transport is not None:
            abort_transport(self._transport)
            self.connection_lost(None)

    async def close(self, within_s: float) -> None:
        """Wait for the answers to what was asked, then end the connection. Give up after `within_s`."""
        if self._transport is not None and self._asked:
            drained = asyncio.Event()
            self.ping(pack("PING"), lambda _: drained.set())
            with suppress(TimeoutError):
                await asyncio.wait_for(drained.wait(), within_s)
        self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, and with it the answers to all that was asked."""
        if self._transport is None:
            return
        self._transport = None
        self.lost_by = exc
        self._outbox = []
        self._outbox_bytes = 0
        asked, self._asked = self._asked, deque()
        lost = Unconfirmed("the connection to Redis was lost before it answered")
        for then in asked:
            then(lost)
        self._on_loss()


def ignore(answer: Any) -> None:
    """Take an answer that nobody waits for."""
