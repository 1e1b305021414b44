"""Connection to a Redis server for subscriptions: their messages, and the confirmations.

Redis confirms each channel of a SUBSCRIBE with its own message, and refuses a SUBSCRIBE as a whole, in the order of the
commands. The channels of one loop turn are subscribed together: in one SUBSCRIBE, or, sharded, in one SSUBSCRIBE for
each slot.

A Redis Cluster unsubscribes on its own when a slot moves to a different server: then `on_doubt` is called.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import hiredis

from ringway.engine.redis.command_connection import CommandConnection, pack
from ringway.engine.redis.errors import error_of_reply, is_elsewhere
from ringway.engine.redis.slot import slot_of
from ringway.errors import EngineError, Unconfirmed
from ringway.net.paced_reading import PacedReading

OnMessage = Callable[[bytes, bytes], None]
"""Receives a message: the channel, and the published bytes."""

NAMES_MAX = 1000
"""The most channels of one command."""


class _Batch:
    """The channels of one command, and the futures that wait for their confirmation."""

    __slots__ = ("names", "unconfirmed", "waiting")

    def __init__(self, names: list[bytes], waiting: list[asyncio.Future[None]]) -> None:
        self.names = names
        self.unconfirmed = len(names)
        self.waiting = waiting

    def settle(self, error: EngineError | None) -> None:
        for future in self.waiting:
            if not future.done():
                if error is None:
                    future.set_result(None)
                else:
                    future.set_exception(error)


class PubSubConnection(CommandConnection):
    """A connection for subscriptions; `on_message` receives the messages, in the call stack of the read."""

    def __init__(
        self, on_loss: Callable[[], None], on_doubt: Callable[[], None], on_message: OnMessage, *, sharded: bool
    ) -> None:
        super().__init__(on_loss, on_doubt)
        self._on_message = on_message
        self._sharded = sharded
        self._subscribe, self._unsubscribe = (
            (b"SSUBSCRIBE", b"SUNSUBSCRIBE") if sharded else (b"SUBSCRIBE", b"UNSUBSCRIBE")
        )
        self._waiting: dict[bytes, list[asyncio.Future[None]]] = {}
        self._sent: deque[_Batch | bytes] = deque()
        """The commands that Redis has not answered yet: channels to subscribe, or one channel to unsubscribe."""
        self._dropped: set[bytes] = set()
        self._paced: PacedReading | None = None

    def set_read_pause(self, pause_s: float) -> None:
        """Pause for `pause_s` after each read from now on (`PacedReading`). Call once."""
        self._paced = PacedReading(self._read, pause_s)

    def data_received(self, data: bytes) -> None:
        """Receive the next bytes from the server."""
        if self._paced is None or self._transport is None:
            super().data_received(data)
        else:
            self._silent_checks = 0
            self._paced.receive(data, self._transport)

    def subscribe(self, name: bytes) -> asyncio.Future[None]:
        """Subscribe to `name` at the end of this loop turn; the future is done when the server has confirmed it.

        Raise `EngineAway` if there is no connection. The future fails if the connection is lost, or Redis refuses.
        """
        future: asyncio.Future[None] = self._loop.create_future()
        self.start_subscribe(name).append(future)
        return future

    def start_subscribe(self, name: bytes) -> list[asyncio.Future[None]]:
        """Subscribe to `name` at the end of this loop turn; return the futures that wait. Raise `EngineAway`."""
        self.require()
        if not self._waiting:
            self._loop.call_soon(self._flush)
        return self._waiting.setdefault(name, [])

    def pop_dropped(self, name: bytes) -> bool:
        """Return True, once, if the server has refused `name` or has unsubscribed it on its own."""
        if name in self._dropped:
            self._dropped.remove(name)
            return True
        return False

    def unsubscribe(self, name: bytes) -> None:
        """Unsubscribe from `name`, after the subscribes of this loop turn."""
        if not self.up:
            return
        self._send_subscribes()
        self._dropped.discard(name)
        self._sent.append(name)
        self._write(pack(self._unsubscribe, name))

    def confirm_requests(self) -> asyncio.Future[Any]:
        """Return a future that is done when the server has executed all commands that this connection was given."""
        self._send_subscribes()
        return self.execute(pack("PING"))

    def _flush(self) -> None:
        self._send_subscribes()
        super()._flush()

    def _send_subscribes(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for names in self._group_by_command(waiting):
            batch = _Batch(names, [future for name in names for future in waiting[name]])
            if self.up:
                self._sent.append(batch)
                self._write(pack(self._subscribe, *names))
            else:
                batch.settle(Unconfirmed("the connection to Redis was lost before it confirmed a subscription"))

    def _group_by_command(self, names: Iterable[bytes]) -> list[list[bytes]]:
        groups: dict[int, list[bytes]] = {}
        for name in names:
            groups.setdefault(slot_of(name) if self._sharded else 0, []).append(name)
        return [group[at : at + NAMES_MAX] for group in groups.values() for at in range(0, len(group), NAMES_MAX)]

    def _on_reply(self, reply: Any) -> None:
        """Read a message, a confirmation, or an error reply."""
        if isinstance(reply, list) and len(reply) == 3:
            kind, name, data = reply
            if kind in (b"message", b"smessage"):
                self._on_message(name, data)
            elif kind in (b"subscribe", b"ssubscribe"):
                self._on_subscribed()
            elif kind in (b"unsubscribe", b"sunsubscribe"):
                self._on_unsubscribed(name)
        elif isinstance(reply, hiredis.ReplyError):
            self._on_error(str(reply))
        else:
            super()._on_reply(reply)  # a reply to the greeting, or a PONG

    def _on_subscribed(self) -> None:
        batch = self._sent[0] if self._sent else None
        if not isinstance(batch, _Batch):
            self.abort()  # the count is wrong
            return
        batch.unconfirmed -= 1
        if not batch.unconfirmed:
            self._sent.popleft()
            batch.settle(None)

    def _on_unsubscribed(self, name: bytes) -> None:
        if self._sent and self._sent[0] == name:
            self._sent.popleft()
        else:
            self._dropped.add(name)
            self._on_doubt()

    def _on_error(self, text: str) -> None:
        if not self._sent:
            super()._on_reply(hiredis.ReplyError(text))  # a reply to the greeting: a PING is never refused
            return
        if is_elsewhere(text):
            self._on_doubt()
        refused = self._sent.popleft()
        if isinstance(refused, _Batch):
            self._dropped.update(refused.names)
            refused.settle(error_of_reply(text))

    def connection_lost(self, exc: Exception | None) -> None:
        """End: the connection is gone, and waiting confirmations fail."""
        if self._paced is not None:
            self._paced.stop()
        sent, self._sent = self._sent, deque()
        error = Unconfirmed("the connection to Redis was lost before it confirmed a subscription")
        for batch in sent:
            if isinstance(batch, _Batch):
                batch.settle(error)
        super().connection_lost(exc)
