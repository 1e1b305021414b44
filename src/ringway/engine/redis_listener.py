"""A connection to a Redis server over which messages come: what is subscribed there, and the confirmations.

Redis confirms each channel of a SUBSCRIBE with a message of its own, and refuses a SUBSCRIBE as a whole, in the order
of what was asked. Channels that are to be subscribed in one loop turn go out together: in one SUBSCRIBE, or, sharded,
in one SSUBSCRIBE for each slot.

A cluster unsubscribes by itself where a slot moves to another server: that raises a doubt.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Any

import hiredis

from ringway.engine.redis_link import Link, pack
from ringway.engine.redis_refusal import is_elsewhere, refusal
from ringway.engine.redis_slot import slot_of
from ringway.errors import EngineError, Unconfirmed

Receive = Callable[[bytes, bytes], None]
"""Receives a message: the channel, and what was published."""

NAMES_MAX = 1000
"""How many channels go into one command."""


class _Batch:
    """Channels of one command, and who waits for them to be subscribed."""

    __slots__ = ("left", "waiting")

    def __init__(self, left: int, waiting: list[asyncio.Future[None]]) -> None:
        self.left = left
        self.waiting = waiting

    def settle(self, error: EngineError | None) -> None:
        for future in self.waiting:
            if not future.done():
                if error is None:
                    future.set_result(None)
                else:
                    future.set_exception(error)


class Listener(Link):
    """A connection that listens; `receive` gets what comes, in the call stack of the read."""

    def __init__(
        self, on_loss: Callable[[], None], on_doubt: Callable[[], None], receive: Receive, *, sharded: bool
    ) -> None:
        super().__init__(on_loss, on_doubt)
        self._receive = receive
        self._sharded = sharded
        self._subscribe, self._unsubscribe = (
            (b"SSUBSCRIBE", b"SUNSUBSCRIBE") if sharded else (b"SUBSCRIBE", b"UNSUBSCRIBE")
        )
        self._joining: dict[bytes, list[asyncio.Future[None]]] = {}
        self._batches: deque[_Batch] = deque()
        self._leaving: Counter[bytes] = Counter()
        self._dropped: set[bytes] = set()

    def join(self, name: bytes) -> asyncio.Future[None]:
        """Subscribe to `name` at the end of this loop turn; the future is done when the server has confirmed it.

        Raise `EngineAway` where the connection does not stand; the future fails where it is lost, or Redis refuses.
        """
        future: asyncio.Future[None] = self._loop.create_future()
        self.add(name).append(future)
        return future

    def add(self, name: bytes) -> list[asyncio.Future[None]]:
        """Subscribe to `name` at the end of this loop turn; return who waits for that. Raise `EngineAway`."""
        self.require()
        if not self._joining:
            self._loop.call_soon(self._flush)
        return self._joining.setdefault(name, [])

    def dropped(self, name: bytes) -> bool:
        """Whether the server has unsubscribed `name` by itself; says so once."""
        if name in self._dropped:
            self._dropped.remove(name)
            return True
        return False

    def leave(self, name: bytes) -> None:
        """Unsubscribe from `name`; what was to be subscribed before goes out before."""
        if not self.up:
            return
        self._send_joining()
        self._dropped.discard(name)
        self._leaving[name] += 1
        self.write(pack(self._unsubscribe, name))

    def settled(self) -> asyncio.Future[Any]:
        """Return a future that is done when the server has done all that was asked of this connection before."""
        self._send_joining()
        return self.ask(pack("PING"))

    def _flush(self) -> None:
        self._send_joining()
        super()._flush()

    def _send_joining(self) -> None:
        joining, self._joining = self._joining, {}
        for names in self._commands(joining):
            batch = _Batch(len(names), [future for name in names for future in joining[name]])
            if self.up:
                self._batches.append(batch)
                self.write(pack(self._subscribe, *names))
            else:
                batch.settle(Unconfirmed("the connection to Redis was lost before it confirmed a subscription"))

    def _commands(self, names: Iterable[bytes]) -> list[list[bytes]]:
        groups: dict[int, list[bytes]] = {}
        for name in names:
            groups.setdefault(slot_of(name) if self._sharded else 0, []).append(name)
        return [group[at : at + NAMES_MAX] for group in groups.values() for at in range(0, len(group), NAMES_MAX)]

    def take(self, answer: Any) -> None:
        """Take a message, a confirmation, or a refusal."""
        if isinstance(answer, list) and len(answer) == 3:
            kind, name, data = answer
            if kind in (b"message", b"smessage"):
                self._receive(name, data)
            elif kind in (b"subscribe", b"ssubscribe"):
                self._confirmed()
            elif kind in (b"unsubscribe", b"sunsubscribe"):
                self._left(name)
        elif isinstance(answer, hiredis.ReplyError):
            self._refused(str(answer))
        else:
            super().take(answer)  # of the handshake, or a PONG

    def _confirmed(self) -> None:
        batch = self._batches[0]
        batch.left -= 1
        if not batch.left:
            self._batches.popleft().settle(None)

    def _left(self, name: bytes) -> None:
        if self._leaving[name] > 1:
            self._leaving[name] -= 1
        elif not self._leaving.pop(name, 0):
            self._dropped.add(name)
            self.on_doubt()

    def _refused(self, text: str) -> None:
        if not self._batches:
            super().take(hiredis.ReplyError(text))  # of the handshake: a PING is never refused
            return
        if is_elsewhere(text):
            self.on_doubt()
        self._batches.popleft().settle(refusal(text))

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone: nothing more is confirmed."""
        batches, self._batches = self._batches, deque()
        error = Unconfirmed("the connection to Redis was lost before it confirmed a subscription")
        for batch in batches:
            batch.settle(error)
        self._leaving.clear()
        super().connection_lost(exc)
