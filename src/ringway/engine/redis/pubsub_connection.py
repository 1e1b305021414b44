"""A connection to a Redis server over which messages come: what is subscribed there, and the confirmations.

Redis confirms each channel of a SUBSCRIBE with a message of its own, and refuses a SUBSCRIBE as a whole, in the order
of what was asked. Channels that are to be subscribed in one loop turn go out together: in one SUBSCRIBE, or, sharded,
in one SSUBSCRIBE for each slot.

A cluster unsubscribes by itself where a slot moves to another server: that raises a doubt.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import hiredis

from ringway.engine.redis.command_connection import Link, pack
from ringway.engine.redis.errors import is_elsewhere, refusal
from ringway.engine.redis.slot import slot_of
from ringway.errors import EngineError, Unconfirmed

Receive = Callable[[bytes, bytes], None]
"""Receives a message: the channel, and what was published."""

NAMES_MAX = 1000
"""How many channels go into one command."""


class _Batch:
    """Channels of one command, and who waits for them to be subscribed."""

    __slots__ = ("left", "names", "waiting")

    def __init__(self, names: list[bytes], waiting: list[asyncio.Future[None]]) -> None:
        self.names = names
        self.left = len(names)
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
        self._sent: deque[_Batch | bytes] = deque()
        """What Redis has not answered yet: channels that it shall send, and one that it shall send no more."""
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
        """Whether the server has refused `name`, or unsubscribed it by itself; says so once."""
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
        self._sent.append(name)
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
            batch = _Batch(names, [future for name in names for future in joining[name]])
            if self.up:
                self._sent.append(batch)
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
        batch = self._sent[0] if self._sent else None
        if not isinstance(batch, _Batch):
            self.abort()  # we have lost count
            return
        batch.left -= 1
        if not batch.left:
            self._sent.popleft()
            batch.settle(None)

    def _left(self, name: bytes) -> None:
        if self._sent and self._sent[0] == name:
            self._sent.popleft()
        else:
            self._dropped.add(name)
            self.on_doubt()

    def _refused(self, text: str) -> None:
        if not self._sent:
            super().take(hiredis.ReplyError(text))  # of the handshake: a PING is never refused
            return
        if is_elsewhere(text):
            self.on_doubt()
        refused = self._sent.popleft()
        if isinstance(refused, _Batch):
            self._dropped.update(refused.names)
            refused.settle(refusal(text))

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone: nothing more is confirmed."""
        sent, self._sent = self._sent, deque()
        error = Unconfirmed("the connection to Redis was lost before it confirmed a subscription")
        for each in sent:
            if isinstance(each, _Batch):
                each.settle(error)
        super().connection_lost(exc)
