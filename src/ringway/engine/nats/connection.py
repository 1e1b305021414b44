"""Connection to NATS that reconnects for ever: the subscriptions of a process survive each loss.

    up ──lost──▶ away ──a server admits it──▶ subscribing ──it confirms all subscriptions──▶ up
                  ▲                               │
                  └──────────────lost─────────────┘

While it is away there is no queue: a send is refused with `EngineAway`, and unconfirmed sends fail with `Unconfirmed`.
Attempts to reconnect go round the servers of the URL and those that the cluster advertises; the pauses between them are
random (`Condition.pause_s`). A server in lame-duck mode is used until it disconnects this client, as it does for its
clients in sequence; then it is tried last.

Overflow rules: messages are handled in the call stack of the read, so NATS disconnects a slow process, which then
recovers missed messages; `NatsOutbox` refuses commands that the server does not accept in time.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from ringway.engine.condition import Condition
from ringway.engine.listeners import call_listeners
from ringway.engine.nats import command
from ringway.engine.nats.connector import Greeted, NatsConnector
from ringway.engine.nats.failure import ConnectionEnded, WentSilent, explain, lacks_right
from ringway.engine.nats.info import NatsInfo
from ringway.engine.nats.outbox import NatsOutbox
from ringway.engine.nats.server_pool import NatsAddress, ServerPool
from ringway.engine.nats.server_socket import ServerSocket
from ringway.engine.nats.subscription import NatsSubscription
from ringway.errors import EngineAway
from ringway.logger import get_logger
from ringway.tasks import Tasks

CONFIRM_S = 10.0
"""The time for a server to confirm all subscriptions after a reconnect."""

_log = get_logger()


class NatsConnection:
    """The connection of one process. It begins with a server that has admitted it (`greeted`)."""

    def __init__(self, greeted: Greeted, connector: NatsConnector, pool: ServerPool, condition: Condition) -> None:
        self._connector = connector
        self._pool = pool
        self._condition = condition
        self._loop = asyncio.get_running_loop()
        self._tasks = Tasks()
        self._subscriptions: dict[int, NatsSubscription] = {}
        self._newest_sid = 0
        self._confirmed: asyncio.Future[None] | None = None  # while it subscribes
        self._up = True
        self.outbox = NatsOutbox(self._write)
        self.on_loss: list[Callable[[], None]] = []
        """Called at the moment in which the connection is found to be lost."""
        self.on_return: list[Callable[[], None]] = []
        """Called after each reconnect, when the server has confirmed all subscriptions."""
        self._server = greeted.server
        self._info = greeted.info
        self._socket: ServerSocket | None = self._adopt(greeted)

    @property
    def up(self) -> bool:
        """True if a server is connected, and has confirmed all subscriptions."""
        return self._up

    @property
    def server(self) -> NatsAddress:
        """The server that is connected, or was the last one."""
        return self._server

    @property
    def info(self) -> NatsInfo:
        """That server's description of itself."""
        return self._info

    @property
    def payload_bytes_max(self) -> int:
        """The largest payload that the server accepts, with its header."""
        return self._info.max_payload

    def require(self) -> None:
        """Raise `EngineAway` if NATS is not up."""
        if not self._up:
            raise EngineAway("NATS cannot be reached at the moment; retry")

    def subscribe(self, subscription: NatsSubscription) -> int:
        """Receive messages, now and after every reconnect. Return the number for `unsubscribe`."""
        self._newest_sid += 1
        sid = self._newest_sid
        if self._socket is not None:
            self.outbox.send(command.subscribe(subscription.subject, subscription.queue, sid))
        self._subscriptions[sid] = subscription
        return sid

    def unsubscribe(self, sid: int) -> None:
        """Stop receiving messages; the request to the server leaves at the end of this loop turn."""
        self._subscriptions.pop(sid, None)
        self.on_unwanted(sid)

    def send(self, subject: str, payload: bytes, reply: str = "", header: bytes = b"") -> None:
        """Publish `payload` at the end of this loop turn, with a complete `header` if any. Raise `EngineAway`."""
        self.require()
        self.outbox.send(command.publish(subject, payload, reply, header))

    def send_many(self, commands: Sequence[bytes]) -> int:
        """Send `commands` at the end of this loop turn; return how many, as `NatsOutbox.send_many`; 0 if it is away."""
        return self.outbox.send_many(commands) if self._up else 0

    def _write(self, data: bytes, on_pong: Callable[[], None] | None) -> None:
        if self._socket is None:
            self.outbox.fail_all()
            return
        if on_pong is not None:
            self._socket.expect_pong(on_pong)
        self._socket.write(data)

    def on_info(self, info: NatsInfo) -> None:
        """Learn the servers of the cluster (`SocketEvents`)."""
        self._info = info
        self._pool.learn(info.connect_urls, self._server)
        if info.ldm:
            self._pool.avoid(self._server)

    def on_error(self, text: str) -> None:
        """Report a missing right; reconnect for any other error: an expired login, say, may be renewed."""
        if "permissions violation" in text.lower():
            self._condition.on_refused(text, lacks_right(text, self._connector.where))
            return
        _log.warning("nats reported an error", error=text)
        if self._socket is not None:
            self._socket.drop(ConnectionEnded(text))

    def on_unwanted(self, sid: int) -> None:
        """End a subscription at the server, also one that is long gone here: its UNSUB may have been lost."""
        if self._socket is not None:
            with suppress(EngineAway):
                self.outbox.send(command.unsubscribe(sid))

    def on_lost(self, error: Exception) -> None:
        """Fail all that waits, and begin to reconnect (`SocketEvents`)."""
        self._socket = None
        if isinstance(error, WentSilent):
            self._pool.avoid(self._server)
        if self._up:
            self._up = False
            self._condition.on_lost()
            call_listeners(self.on_loss)
            self._tasks.spawn(self._reconnect(), name="nats reconnect")
        self.outbox.fail_all()
        if self._confirmed is not None and not self._confirmed.done():
            self._confirmed.set_exception(error)

    async def _reconnect(self) -> None:
        self._pool.draw()
        while not self._up:
            server, wait_s = self._pool.next_server(self._loop.time())
            await asyncio.sleep(max(wait_s, self._condition.pause_s()))
            try:
                await self._return_to(server)
            except Exception as error:  # the next attempt may succeed after any error
                self._condition.on_attempt_failed(explain(error, self._connector.where))
        self._condition.on_returned()
        call_listeners(self.on_return)

    async def _return_to(self, server: NatsAddress) -> None:
        """Connect to `server`, and be up. Raise if that fails, or the connection is lost again before."""
        greeted = await self._connector.connect(server)
        self._server = server
        socket = self._socket = self._adopt(greeted)
        confirmed = self._confirmed = self._loop.create_future()
        commands = [command.subscribe(each.subject, each.queue, sid) for sid, each in self._subscriptions.items()]
        socket.expect_pong(self._on_confirmed)
        socket.write(b"".join([*commands, command.PING]))
        try:
            async with asyncio.timeout(CONFIRM_S):
                await confirmed
        except BaseException:
            if self._socket is socket:
                self._socket = None
                socket.drop(ConnectionEnded("it was given up"))
            raise
        finally:
            self._confirmed = None
        if self._socket is not socket:
            raise ConnectionEnded("it was lost again")
        self._up = True

    def _on_confirmed(self) -> None:
        if self._confirmed is not None and not self._confirmed.done():
            self._confirmed.set_result(None)

    def _adopt(self, greeted: Greeted) -> ServerSocket:
        self._info = greeted.info
        self._pool.learn(greeted.info.connect_urls, greeted.server)
        return ServerSocket(greeted, self._subscriptions, self, self._connector.read_pause_s)

    async def close(self, within_s: float) -> None:
        """Wait until the server has processed all commands, then end the connection. Idempotent.

        Each of the two steps lasts at most `within_s`.
        """
        if self._up:
            with suppress(EngineAway, TimeoutError):
                async with asyncio.timeout(within_s):
                    await self.outbox.processed()
        self._up = False
        await self._tasks.aclose()
        socket, self._socket = self._socket, None
        if socket is not None:
            await socket.close(within_s)
        self.outbox.fail_all()
