"""A connection to a Redis server that carries commands, and gives each command its reply.

The commands of one loop turn leave in one write. Redis replies in the order of the commands, so a reply belongs to the
oldest command without a reply; a caller that no longer waits does not change that. `hiredis` reads and packs; sockets
and order are here. `bench/redis_clients.py` measures the cost of other clients.

A silent connection is found by `check_liveness`: each call sends a command to which Redis must reply.

Overflow rule: at most `UNSENT_BYTES_MAX` wait for a slow server; further commands raise `EngineAway`.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

import hiredis

from ringway.engine.abort import abort_transport
from ringway.engine.redis.errors import error_of_reply, is_elsewhere
from ringway.errors import EngineAway, EngineError, Unconfirmed

UNSENT_BYTES_MAX = 64 << 20
"""The most bytes that wait for a slow server; further commands are refused."""

SILENT_CHECKS_MAX = 3
"""The number of checks without a byte from the server after which the connection is given up."""

Argument = bytes | int | str
OnReply = Callable[[Any], None]
"""Receives a reply: bytes, a number, a list, None, a `hiredis.ReplyError`, or `Unconfirmed` if there is none."""


def pack(*arguments: Argument) -> bytes:
    """Return the encoding of a command."""
    return cast(bytes, hiredis.pack_command(arguments))  # type: ignore[arg-type]  # tuples of any length will do


class CommandConnection(asyncio.Protocol):
    """A connection for commands; `RedisConnector` connects it.

    `on_loss` is called once when the connection is lost or aborted, and `on_doubt` when a reply says that a different
    server is responsible.
    """

    def __init__(self, on_loss: Callable[[], None], on_doubt: Callable[[], None]) -> None:
        self._on_loss = on_loss
        self._on_doubt = on_doubt
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._reader = hiredis.Reader()
        self._outbox: list[bytes] = []
        self._outbox_bytes = 0
        self._awaited: deque[OnReply] = deque()
        self._silent_checks = 0
        self.lost_by: Exception | None = None
        """The error that ended the connection, if it is known: of TLS after its handshake, or of the protocol."""

    @property
    def up(self) -> bool:
        """True while the connection is established."""
        return self._transport is not None

    @property
    def transport(self) -> asyncio.Transport | None:
        """The transport; None without a connection."""
        return self._transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin: the connection is established."""
        self._transport = cast(asyncio.Transport, transport)

    def execute(self, command: bytes) -> asyncio.Future[Any]:
        """Send `command` at the end of this loop turn; the future gets the reply.

        Raise `EngineAway` if it cannot be sent. The future fails with `Unconfirmed` if the connection is lost before
        the reply, and with the error of `error_of_reply` if Redis replies with an error.
        """
        future: asyncio.Future[Any] = self._loop.create_future()

        def settle(reply: Any) -> None:
            if future.done():
                return
            outcome = outcome_of(reply)
            if isinstance(outcome, EngineError):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

        self.send_command(command, settle)
        return future

    def send_command(self, command: bytes, on_reply: OnReply) -> None:
        """Send `command` at the end of this loop turn. Raise `EngineAway` if it cannot be sent."""
        self.require()
        if self._unsent_bytes() + len(command) > UNSENT_BYTES_MAX:
            raise EngineAway(f"Redis does not keep up: {UNSENT_BYTES_MAX} bytes are on their way to it already")
        self._awaited.append(on_reply)
        self._write(command)

    def require(self) -> None:
        """Raise `EngineAway` if there is no connection."""
        if self._transport is None:
            raise EngineAway("Redis cannot be reached at the moment; retry")

    def _write(self, command: bytes) -> None:
        if not self._outbox:
            self._loop.call_soon(self._flush)
        self._outbox.append(command)
        self._outbox_bytes += len(command)

    def _unsent_bytes(self) -> int:
        return self._outbox_bytes + (self._transport.get_write_buffer_size() if self._transport else 0)

    def _flush(self) -> None:
        commands, self._outbox = self._outbox, []
        self._outbox_bytes = 0
        if self._transport is not None and commands:
            self._transport.write(commands[0] if len(commands) == 1 else b"".join(commands))

    def data_received(self, data: bytes) -> None:
        """Receive the next bytes from the server."""
        self._silent_checks = 0
        self._read(data)

    def _read(self, data: bytes) -> None:
        reader = self._reader
        try:
            reader.feed(data)
            while (reply := reader.gets()) is not False:
                self._on_reply(reply)
        except hiredis.ProtocolError as error:
            self.abort()
            self.lost_by = error

    def _on_reply(self, reply: Any) -> None:
        if not self._awaited:
            self.abort()  # no command waits for a reply: this is not Redis, or the count is wrong
            return
        if isinstance(reply, hiredis.ReplyError) and is_elsewhere(str(reply)):
            self._on_doubt()
        self._awaited.popleft()(reply)

    def check_liveness(self, command: bytes, on_reply: OnReply) -> None:
        """Send `command`; abort the connection instead if it was silent for `SILENT_CHECKS_MAX` checks."""
        self._silent_checks += 1
        if self._silent_checks > SILENT_CHECKS_MAX:
            self.abort()
        elif self._transport is not None:
            self.send_check(command, on_reply)

    def send_check(self, command: bytes, on_reply: OnReply) -> None:
        """Send `command` without the overflow rule: checks are small, and must not be refused."""
        self._awaited.append(on_reply)
        self._write(command)

    def abort(self) -> None:
        """End the connection at once; unsent bytes never arrive."""
        if self._transport is not None:
            abort_transport(self._transport)
            self.connection_lost(None)

    async def close(self, within_s: float) -> None:
        """Wait up to `within_s` for the replies to all commands, then end the connection."""
        if self._transport is not None and self._awaited:
            drained = asyncio.Event()
            self.send_check(pack("PING"), lambda _: drained.set())
            with suppress(TimeoutError):
                async with asyncio.timeout(within_s):
                    await drained.wait()
        self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """End: the connection is gone, and all awaited replies fail."""
        if self._transport is None:
            return
        self._transport = None
        self.lost_by = exc
        self._outbox = []
        self._outbox_bytes = 0
        awaited, self._awaited = self._awaited, deque()
        lost = Unconfirmed("the connection to Redis was lost before it answered")
        for on_reply in awaited:
            on_reply(lost)
        self._on_loss()


def outcome_of(reply: Any) -> Any:
    """Return the engine error that `reply` is, or `reply` itself."""
    return error_of_reply(str(reply)) if isinstance(reply, hiredis.ReplyError) else reply


def ignore_reply(reply: Any) -> None:
    """Do nothing: an `OnReply` for commands whose reply does not matter."""
