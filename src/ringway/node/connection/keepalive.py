"""Keepalive and other deadlines of connections: connect command, pings, the answer to a close (PROTOCOL.md P-4.8).

At any time a connection waits for exactly one deadline, so it has one place in a timer wheel, and no timer of its own:

    waiting ──(connect_deadline_s)──▶ close 3502
    connected ──(first ping jittered)──▶ ping ──(pong_timeout_s)──▶ answered? next ping : close 3012
                     while nothing is read from it: has it read what waits for it? another pong_timeout_s : close 3008
    closing ──(close_deadline_s)──▶ cut

If connections have a bounded age (`core.age`), its end is checked when the next ping would be due; that ping comes
earlier if the age ends earlier.
"""

import enum
from collections.abc import Hashable
from random import Random
from typing import Protocol

from ringway.core.age import Lives
from ringway.core.wheel import Wheel
from ringway.node.config.node import NodeConfig
from ringway.node.connection.command_queue import CommandQueue
from ringway.node.connection.subscriber import HEADROOM, TEXT, Send, frame_of
from ringway.node.stats import NodeStats
from ringway.protocol.close import NO_PONG, SERVICE_RESTART, SLOW, STALE
from ringway.protocol.codec import PING


class Beat(enum.Enum):
    """State of a connection between two pings."""

    EXPECTED = enum.auto()  # the connect command, or the answer to a close, is awaited
    QUIET = enum.auto()  # the next deadline is a ping
    PINGED = enum.auto()  # a pong is awaited
    ANSWERED = enum.auto()  # the pong came; the deadline has no effect


class Timed(Hashable, Protocol):
    """A connection, in the keepalive's view. The first three are the keepalive's own, stored here to save memory."""

    slot: int  # in the wheel; -1: in no slot
    beat: Beat
    ends_at: float  # the end of its life, monotonic

    @property
    def send(self) -> Send:
        """Sends one frame."""
        ...

    @property
    def command_queue(self) -> CommandQueue | None:
        """The messages that wait while a command awaits the engine."""
        ...

    @property
    def is_connected(self) -> bool:
        """True if its connect command was accepted, and it is not over."""
        ...

    @property
    def is_closing(self) -> bool:
        """True if its end has begun."""
        ...

    @property
    def is_held(self) -> bool:
        """True if reading is stopped, so that it cannot answer."""
        ...

    def waiting_bytes(self) -> int:
        """Return the number of bytes that were sent and have not reached the kernel yet."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Close with `code`."""
        ...

    def cut(self) -> None:
        """Close the socket without waiting for the client."""
        ...


_PING = frame_of(PING)

_STALL_S = 1.0
"""A tick that is late by this time means that this process was stopped: clients' messages since are not read yet."""


class Keepalive:
    """The deadlines of all connections of a node. `now` is monotonic."""

    __slots__ = ("_config", "_lives", "_rng", "_stats", "_ticked_at", "_wheel")

    def __init__(self, config: NodeConfig, rng: Random, stats: NodeStats, now: float) -> None:
        self._config = config
        self._rng = rng
        self._stats = stats
        self._ticked_at = now
        self._lives = Lives(config.max_age_s, now) if config.max_age_s else None
        longest = max(config.ping_interval_s, config.connect_deadline_s + 1, config.close_deadline_s + 1)
        self._wheel: Wheel[Timed] = Wheel(longest, now)

    def on_opened(self, connection: Timed, now: float) -> None:
        """Expect a connect command within the whole deadline, so a second more (`core.wheel`)."""
        self._put(connection, self._config.connect_deadline_s + 1.0, now)

    def on_connected(self, connection: Timed, now: float) -> None:
        """Begin to ping; at a random time, so that connections that came together are not pinged together."""
        self.forget(connection)
        if self._lives is not None:
            connection.ends_at = now + self._lives.draw(now, self._rng)
        self._rest(connection, self._rng.uniform(0.0, self._config.ping_interval_s), now)

    def on_resumed(self, connection: Timed, ping_in_s: float, now: float) -> None:
        """Ping at the times of the old node: the client expects its pings then."""
        self.forget(connection)
        self._rest(connection, min(ping_in_s, self._config.ping_interval_s), now)

    def ping_in_s(self, connection: Timed, now: float) -> float:
        """Return the time until a connected client's next ping; 0 if a pong is awaited: then it is pinged anew."""
        if connection.slot < 0 or connection.beat is Beat.PINGED:
            return 0.0
        rest_s = self._config.ping_interval_s - self._config.pong_timeout_s if connection.beat is Beat.ANSWERED else 0.0
        return self._wheel.due_in_s(connection.slot, now) + rest_s

    def on_closing(self, connection: Timed, now: float) -> None:
        """Expect the answer to a close frame."""
        self.forget(connection)
        connection.beat = Beat.EXPECTED
        self._put(connection, self._config.close_deadline_s + 1.0, now)

    def forget(self, connection: Timed) -> None:
        """Drop the deadline of the connection."""
        if connection.slot >= 0:
            self._wheel.drop(connection, connection.slot)
            connection.slot = -1

    def tick(self, now: float) -> None:
        """Let time pass; call it several times a second."""
        stalled = now - self._ticked_at > _STALL_S
        self._ticked_at = now
        for connection in self._wheel.tick(now):
            connection.slot = -1
            if stalled and connection.beat is not Beat.QUIET:
                self._put(connection, _STALL_S, now)  # its answer may wait in the socket
            elif connection.is_closing:
                connection.cut()
            elif connection.is_connected:
                self._beat(connection, now)
            else:
                connection.close(STALE, f"no connect command within {self._config.connect_deadline_s:g} s")

    def _beat(self, connection: Timed, now: float) -> None:
        if connection.beat is Beat.PINGED and connection.is_held:
            self._judge_held(connection, now)
        elif connection.beat is Beat.PINGED:
            connection.close(NO_PONG, f"no pong within {self._config.pong_timeout_s} s")
            connection.cut()  # a client that does not answer pings will not answer a close
        elif connection.ends_at <= now:
            self._stats.aged += 1
            connection.close(SERVICE_RESTART, "age")
        elif connection.beat is Beat.ANSWERED:
            self._rest(connection, self._config.ping_interval_s - self._config.pong_timeout_s, now)
        else:
            connection.beat = Beat.PINGED
            connection.send(TEXT, _PING, HEADROOM)
            self._stats.pings += 1
            self._put(connection, self._config.pong_timeout_s, now)

    def _judge_held(self, connection: Timed, now: float) -> None:
        """Extend the deadline of a client that is not read (nor its pong), unless the client reads nothing itself."""
        queue = connection.command_queue
        waiting = connection.waiting_bytes()
        if queue is not None and queue.is_unread(waiting):
            connection.close(SLOW, f"{waiting} bytes wait to be read, and none were in {self._config.pong_timeout_s} s")
            connection.cut()
            return
        self._put(connection, self._config.pong_timeout_s, now)

    def _rest(self, connection: Timed, delay_s: float, now: float) -> None:
        """Wait for the next ping, or for the end of the connection's life."""
        connection.beat = Beat.QUIET
        left_s = connection.ends_at - now + 1.0
        self._put(connection, min(delay_s, max(0.0, left_s)), now)

    def _put(self, connection: Timed, delay_s: float, now: float) -> None:
        connection.slot = self._wheel.put(connection, delay_s, now)
