"""Commands to NATS: those of one loop turn leave in one write, and a PING proves that they were processed.

NATS answers a PING after it has processed all earlier commands of the connection. A PING for each publication would
double the work. Here all waiters share a PING, and at most one PING is under way at a time, as a database commits in
groups: a later waiter waits for the next PING. Under load one PING covers hundreds of commands; a single command waits
one round trip (about 0.1 ms on one machine).

There is no queue while NATS is away: waiters fail with `Unconfirmed`, since part of the commands may have left.

Overflow rule: at most `UNPROCESSED_BYTES_MAX` are under way; further commands are refused with `EngineAway`.
"""

import asyncio
from collections.abc import Callable, Sequence

from ringway.engine.nats.command import PING
from ringway.errors import EngineAway, Unconfirmed

Write = Callable[[bytes, Callable[[], None] | None], None]
"""Writes bytes at once. If there is a callable, they end with a PING, and its PONG must call it."""

UNPROCESSED_BYTES_MAX = 64 << 20
"""The most bytes under way to a server that does not process them (NATS's own max_pending)."""

PING_BYTES = 256 << 10
"""The bytes after which a PING is sent without a waiter, to know how many are unprocessed."""

CONFIRM_S = 5.0
"""The deadline of the answer to a PING; after it the waiters fail."""


class NatsOutbox:
    """Batches commands, and knows when NATS has processed them."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._loop = asyncio.get_running_loop()
        self._commands: list[bytes] = []
        self._scheduled = False
        self._waiting: list[asyncio.Future[None]] = []
        self._waiting_bytes = 0
        self._flying: list[asyncio.Future[None]] = []
        self._flying_bytes = 0
        self._overdue: asyncio.TimerHandle | None = None

    def send(self, command: bytes) -> None:
        """Write `command` at the end of this loop turn. Raise `EngineAway` if too much is unprocessed."""
        size = len(command)
        if self._waiting_bytes + self._flying_bytes + size > UNPROCESSED_BYTES_MAX:
            raise no_room()
        self._commands.append(command)
        self._waiting_bytes += size
        self._schedule()

    def send_many(self, commands: Sequence[bytes]) -> int:
        """Write `commands` at the end of this loop turn; return how many: those for which there is room."""
        room = UNPROCESSED_BYTES_MAX - self._waiting_bytes - self._flying_bytes
        size, count = sum(map(len, commands)), len(commands)
        while size > room:
            count -= 1
            size -= len(commands[count])
        self._commands += commands[:count]
        self._waiting_bytes += size
        self._schedule()
        return count

    def processed(self) -> asyncio.Future[None]:
        """Return a future that is done when NATS has processed all commands before this call."""
        future = self._loop.create_future()
        self._waiting.append(future)
        self._schedule()
        return future

    def fail_all(self) -> None:
        """Fail all waiters, and drop unwritten commands: the connection is gone."""
        away = self._flying + self._waiting
        self._commands.clear()
        self._flying, self._waiting = [], []
        self._flying_bytes = self._waiting_bytes = 0
        self._stop_clock()
        for future in away:
            if not future.done():
                future.set_exception(Unconfirmed("the connection to NATS was lost before it confirmed"))

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._scheduled = False
        pings = self._overdue is None and (bool(self._waiting) or self._waiting_bytes > PING_BYTES)
        if pings:
            self._commands.append(PING)
            self._flying, self._waiting = self._waiting, []
            self._flying_bytes, self._waiting_bytes = self._waiting_bytes, 0
            self._overdue = self._loop.call_later(CONFIRM_S, self._give_up)
        if self._commands:
            data = b"".join(self._commands)
            self._commands.clear()
            self._write(data, self._on_pong if pings else None)

    def _on_pong(self) -> None:
        processed, self._flying = self._flying, []
        self._flying_bytes = 0
        self._stop_clock()
        for future in processed:
            if not future.done():
                future.set_result(None)
        if self._waiting or self._waiting_bytes > PING_BYTES:
            self._schedule()

    def _give_up(self) -> None:
        # The PONG may still come. Until then no further PING is sent: `_overdue` stays set.
        for future in self._flying + self._waiting:
            if not future.done():
                future.set_exception(Unconfirmed(f"NATS did not confirm within {CONFIRM_S} s"))
        self._flying, self._waiting = [], []

    def _stop_clock(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None


def no_room() -> EngineAway:
    """Return the error of a command that is refused: too much is unprocessed."""
    return EngineAway(f"NATS does not keep up: {UNPROCESSED_BYTES_MAX} bytes are on their way to it already")
