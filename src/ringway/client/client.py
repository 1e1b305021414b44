"""Client for channels, the interface of programs. Its connection is kept up by `connection`."""

import asyncio
import ssl as tls
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from types import TracebackType
from typing import Any, Self

import msgspec

from ringway.client.answer import History, PresenceStats, StreamPosition, read_history, read_stats
from ringway.client.config import ClientConfig
from ringway.client.connection import PersistentConnection
from ringway.client.event import Event
from ringway.client.link import ChannelLink, raw, result_of
from ringway.client.subscription import OnPresence, OnPublication, Subscription
from ringway.client.token import Token
from ringway.core.backoff import next_delay_s
from ringway.errors import CommandError, ConnectionClosed
from ringway.protocol.channel import check_channel
from ringway.protocol.command import (
    ClientInfo,
    HistoryRequest,
    HistoryResult,
    HistorySince,
    PresenceRequest,
    PresenceResult,
    PresenceStatsResult,
    PublishRequest,
    Reply,
    RpcRequest,
)
from ringway.types import NodeName


class Client:
    """Publishes to channels and subscribes to them, over one connection that is repeated after each loss.

    `url` names a gateway, or several that are tried in random order. With `http(s)://` the client asks the gateway
    for a node and connects to it directly; with `ws(s)://` it connects to the URL as it is, and a gateway carries that
    to a node. `via` overrides that: "direct" or "gateway". `key` is the affinity key: under a hashing policy clients
    with one key meet on one node. `token` says who the client is, where nodes
    ask for that: a text, or a coroutine function that fetches one, called at the first connect and before each end.
    `ssl` replaces the default TLS context. `on_event` is called with each `Event`.
    `rng` makes jitter reproducible. Raise `ConfigError` for arguments that cannot work.

    Use it as `async with Client(url) as client`, or call `open` and `close`. It belongs to one event loop.
    """

    def __init__(
        self,
        url: str | Sequence[str],
        *,
        via: str | None = None,
        key: str | None = None,
        token: Token | None = None,
        config: ClientConfig | None = None,
        ssl: tls.SSLContext | None = None,
        on_event: Callable[[Event], None] | None = None,
        rng: Random | None = None,
    ) -> None:
        self._config = config or ClientConfig()
        self._connection = PersistentConnection(
            url, via=via, key=key, token=token, config=self._config, ssl=ssl, on_event=on_event, rng=rng
        )

    @property
    def node(self) -> NodeName | None:
        """The node that the client is connected to now; None if it is not connected."""
        link = self._connection.link
        return link.node if link is not None else None

    @property
    def id(self) -> str | None:
        """The node's id of this connection, which is the `client` of its publications; None if not connected."""
        link = self._connection.link
        return link.client if link is not None else None

    @property
    def moves(self) -> int:
        """The number of moves that this client has followed."""
        return self._connection.moves

    async def open(self) -> Self:
        """Connect; return when the node has accepted the client.

        Attempts are repeated for `open_timeout_s`; then the last error is raised: `OSError` (nobody there),
        `UpgradeError` (refused; also when no node is free), `CommandError`, `ConnectionClosed`. An error that
        no repetition can heal is raised at once.
        """
        await self._connection.open()
        return self

    async def close(self) -> None:
        """End all subscriptions, say goodbye to the node, and free everything. Idempotent."""
        await self._connection.close()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def subscribe(
        self, channel: str, *, on_publication: OnPublication | None = None, on_presence: OnPresence | None = None
    ) -> Subscription:
        """Subscribe to `channel`, now and after every reconnect, until the subscription is left.

        Iterate over the result or enter it (`Subscription`). With `on_publication` that function is called in the event
        loop with each publication, which is not queued: the cheapest way for very many subscriptions. `on_presence` is
        called with each `Joined` and `Left`, if the channel's namespace reports them. Raise `CommandError` 107 for an
        illegal name, and the error that ended the client if it is over.
        """
        if self._connection.end is not None:
            raise self._connection.end
        config, channels = self._config, self._connection.channels
        subscription = Subscription(
            check_channel(channel),
            config.queue_max,
            config.command_timeout_s,
            channels.remove,
            on_publication,
            on_presence,
        )
        channels.add(subscription)
        return subscription

    async def publish(
        self, channel: str, data: Any, *, idempotency_key: str = "", timeout_s: float | None = None
    ) -> None:
        """Publish `data` (anything that has a JSON form) to `channel`; return when the engine has taken it.

        After a temporary refusal the publish is repeated with jittered pauses for `timeout_s` (default
        `command_timeout_s`); the same holds while there is no connection. In both cases nothing was published. After
        that time, and for any other refusal, raise `CommandError`; raise `TimeoutError` if there was no answer. If the
        connection ends before the answer, raise `ConnectionClosed`: the publication may have been made, and a
        repetition could double it, so the caller decides. With an `idempotency_key`, for which the channel accepts one
        publication in two minutes, the client repeats the publish in this case too. Raise `Overloaded` if `pending_max`
        publishes are unanswered, `TypeError` if `data` has no JSON form.
        """
        request = PublishRequest(check_channel(channel), raw(data), idempotency_key)
        await self._repeat(
            lambda link: link.ask(publish=request),
            f"a publish to {channel!r}",
            self._config.command_timeout_s if timeout_s is None else timeout_s,
            after_loss=bool(idempotency_key),
        )

    async def rpc(self, method: str, data: Any = None, *, timeout_s: float | None = None) -> Any:
        """Call `method` at the server with `data` (anything that has a JSON form); return the result, decoded.

        After a temporary refusal, which means that the call has not begun, it is repeated as a publish is, for
        `timeout_s` (default `command_timeout_s`); the same holds while there is no connection. Raise `CommandError` for
        any other refusal: 104 if the server answers no such method, 400 to 1999 are codes of the server's own. If the
        connection ends before the answer, raise `ConnectionClosed`: the call may have had its effect, so the caller
        decides. A move does not end it. Raise `TimeoutError` if there was no answer, and what `publish` raises.
        """
        request = RpcRequest(method) if data is None else RpcRequest(method, raw(data))
        reply = await self._repeat(
            lambda link: link.ask(rpc=request),
            f"the call {method!r}",
            self._config.command_timeout_s if timeout_s is None else timeout_s,
            after_loss=False,
        )
        result = bytes(reply.rpc.data) if reply.rpc is not None else b""
        return msgspec.json.decode(result) if result else None

    async def history(
        self,
        channel: str,
        *,
        limit: int = 100,
        since: StreamPosition | None = None,
        reverse: bool = False,
    ) -> History:
        """Return up to `limit` publications that the server keeps of `channel`, and the channel's position.

        The oldest ones, or those after `since`; with `reverse` the newest first, or those before `since`. The server's
        settings bound the result. Raise `CommandError` 108 if the channel keeps no history, 112 if `since` has an old
        epoch; other errors are those of `publish`, but after a lost connection the client always repeats the question.
        """
        place = HistorySince(offset=since.offset, epoch=since.epoch) if since is not None else None
        name = check_channel(channel)
        reply = await self._ask(history=HistoryRequest(name, limit, place, reverse))
        return read_history(name, reply.history or HistoryResult())

    async def presence(self, channel: str) -> dict[str, ClientInfo]:
        """Return the subscribers of `channel`, by the id of the connection.

        Raise `CommandError` 108 if the namespace has no presence, 106 if there are too many subscribers to list.
        """
        reply = await self._ask(presence=PresenceRequest(check_channel(channel)))
        return (reply.presence or PresenceResult()).presence

    async def presence_stats(self, channel: str) -> PresenceStats:
        """Return the number of subscribers of `channel`. Raise `CommandError` 108 if the namespace has no presence."""
        reply = await self._ask(presence_stats=PresenceRequest(check_channel(channel)))
        return read_stats(reply.presence_stats or PresenceStatsResult())

    async def wait_closed(self) -> None:
        """Return when the client was closed; raise the reason if the server has ended it for good."""
        await self._connection.wait_closed()

    async def _ask(self, **request: Any) -> Reply:
        """Return the reply to a query, which may be repeated for `command_timeout_s`."""
        timeout_s = self._config.command_timeout_s
        return await self._repeat(lambda link: link.call(**request), "a question", timeout_s, after_loss=True)

    async def _repeat(
        self, send: Callable[[ChannelLink], Awaitable[Reply]], name: str, timeout_s: float, *, after_loss: bool
    ) -> Reply:
        """Return the reply to the command of `send`, repeated after temporary refusals for up to `timeout_s`.

        With `after_loss` it is also repeated if the connection ended before the reply, unless the client is over.
        """
        connection = self._connection
        refusal: CommandError | None = None
        attempt = 0
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    link = await connection.wait_connected()
                    try:
                        return result_of(await send(link))
                    except CommandError as error:
                        if not error.temporary:
                            raise
                        refusal = error
                    except ConnectionClosed:
                        if not after_loss or connection.end is not None:
                            raise
                    await asyncio.sleep(next_delay_s(attempt, connection.rng, base_s=self._config.backoff_base_s))
                    attempt += 1
        except TimeoutError:
            raise refusal or TimeoutError(f"no answer to {name} in time") from None
