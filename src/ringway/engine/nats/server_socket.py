"""Established connection to one NATS server, until it is lost: reads, writes, and detects a dead server.

Every `PING_S` the server is sent a PING; without an answer to `UNANSWERED_MAX` of them the connection is given up.
There is no queue here: incoming data is passed on in the same call, and `NatsOutbox` bounds outgoing data.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

from ringway.engine.abort import abort_transport
from ringway.engine.nats.command import PING, PONG
from ringway.engine.nats.connector import Greeted
from ringway.engine.nats.failure import ConnectionEnded, WentSilent
from ringway.engine.nats.info import NatsInfo
from ringway.engine.nats.parser import NatsParser
from ringway.engine.nats.subscription import NatsSubscription
from ringway.net.paced_reading import PacedReading

PING_S = 2.0
"""The period of PINGs to the server."""

UNANSWERED_MAX = 2
"""The number of PINGs that may wait for their answers when the next PING is due."""

OnPong = Callable[[], None]


class SocketEvents(Protocol):
    """Receives the events of a connection, in the call stack of the loop."""

    def on_info(self, info: NatsInfo) -> None:
        """The server describes itself again."""
        ...

    def on_error(self, text: str) -> None:
        """The server reports an error."""
        ...

    def on_unwanted(self, sid: int) -> None:
        """A message came for a subscription that does not exist any more."""
        ...

    def on_lost(self, error: Exception) -> None:
        """The connection is gone; called once, as the last event."""
        ...


class ServerSocket(asyncio.Protocol):
    """The protocol of a greeting's transport after it. Messages go to `subscriptions`, other events to `events`.

    With a `read_pause_s` above 0 it pauses so long after each read (`PacedReading`).
    """

    def __init__(
        self,
        greeted: Greeted,
        subscriptions: Mapping[int, NatsSubscription],
        events: SocketEvents,
        read_pause_s: float = 0.0,
    ) -> None:
        self.server = greeted.server
        self._loop = asyncio.get_running_loop()
        self._events: SocketEvents | None = events
        self._parser = NatsParser(subscriptions, self)
        self._pongs: deque[OnPong] = deque()
        self._unanswered = 0
        self._closed = asyncio.Event()
        self._paced = PacedReading(self._read, read_pause_s) if read_pause_s else None
        self._transport = greeted.lines.transport
        self._transport.set_protocol(self)
        self._tick = self._loop.call_later(PING_S, self._on_tick)
        self._loop.call_soon(self._begin, greeted)

    def _begin(self, greeted: Greeted) -> None:
        """Read the bytes behind the greeting; in the loop's next turn, when the owner is ready for them."""
        unread = greeted.lines.take_unread()
        if unread:
            self.data_received(unread)
        if greeted.lines.ended:
            self.connection_lost(None)

    def write(self, data: bytes) -> None:
        """Send `data` at once."""
        self._transport.write(data)

    def expect_pong(self, then: OnPong) -> None:
        """Call `then` when the server answers the PING that the next `write` contains."""
        self._pongs.append(then)

    def data_received(self, data: bytes) -> None:
        """Receive the next bytes from the server."""
        if self._paced is None:
            self._read(data)
        else:
            self._paced.receive(data, self._transport)

    def _read(self, data: bytes) -> None:
        try:
            self._parser.feed(data)
        except ConnectionEnded as error:
            self.drop(error)

    def on_info(self, info: NatsInfo) -> None:
        """Pass it on."""
        if self._events is not None:
            self._events.on_info(info)

    def on_error(self, text: str) -> None:
        """Pass it on."""
        if self._events is not None:
            self._events.on_error(text)

    def on_unwanted(self, sid: int) -> None:
        """Pass it on."""
        if self._events is not None:
            self._events.on_unwanted(sid)

    def on_ping(self) -> None:
        """Answer with a PONG."""
        self._transport.write(PONG)

    def on_pong(self) -> None:
        """Call the callback that waits longest."""
        self._unanswered = 0
        if self._pongs:
            self._pongs.popleft()()

    def _on_tick(self) -> None:
        if self._unanswered >= UNANSWERED_MAX:
            self.drop(WentSilent("it did not answer any more"))
            return
        self._unanswered += 1
        self._pongs.append(_ignore)
        self._transport.write(PING)
        self._tick = self._loop.call_later(PING_S, self._on_tick)

    def drop(self, error: Exception) -> None:
        """End the connection at once; unsent bytes never arrive."""
        abort_transport(self._transport)
        self._end(error)

    async def close(self, within_s: float) -> None:
        """Send the written bytes, and end the connection; by force after `within_s`. `on_lost` is not called."""
        self._events = None
        self._stop_reading()
        self._transport.close()
        try:
            async with asyncio.timeout(within_s):
                await self._closed.wait()
        except TimeoutError:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._closed.set()
        self._end(exc or ConnectionEnded("the server closed it"))

    def _stop_reading(self) -> None:
        self._tick.cancel()
        self._parser.stop()
        if self._paced is not None:
            self._paced.stop()

    def _end(self, error: Exception) -> None:
        self._stop_reading()
        self._pongs.clear()
        events, self._events = self._events, None
        if events is not None:
            events.on_lost(error)


def _ignore() -> None:
    """Do nothing: this answer has no waiter."""
