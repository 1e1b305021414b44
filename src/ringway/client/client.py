"""The client for channels: one connection, kept up, and led where the servers want it.

One task (`_run`) owns the connection: it connects, waits for the end, and does what `Reconnect` says. All else happens
in callbacks of the event loop. So a client costs one task, one timer, and its socket.
"""

import asyncio
import ssl as tls
from collections.abc import Callable, Sequence
from random import Random, SystemRandom
from types import TracebackType
from typing import Any, Self

from ringway.client.answer import History, PresenceStats, StreamPosition, read_history, read_stats
from ringway.client.channels import Channels
from ringway.client.config import ClientConfig
from ringway.client.event import Connected, Disconnected, Event, Failed, Gap, Moved
from ringway.client.follow import Follow
from ringway.client.link import ChannelLink, raw, result_of
from ringway.client.opener import Terms
from ringway.client.reconnect import Again, Reconnect, deciding, is_final, is_final_close
from ringway.client.route import CHANNELS_PATH, Route, Way
from ringway.client.subscription import OnPresence, OnPublication, Subscription
from ringway.core.backoff import next_delay_s
from ringway.errors import CommandError, ConnectionClosed, RingwayError
from ringway.protocol.channel import check_channel
from ringway.protocol.close import NORMAL
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
)
from ringway.protocol.move import Move
from ringway.types import NodeName


class Client:
    """Publishes to channels and subscribes to them, over one connection that is kept up.

    `url` names a gateway, or several that are tried in random order. With `http(s)://` the client asks the gateway
    for a node and connects to it directly; with `ws(s)://` it connects to the URL as it is, and a gateway carries that
    to a node. `via` overrides that: "direct" or "gateway". `key` is the affinity key: under a hashing policy clients
    with one key meet on one node. `ssl` replaces the default TLS context. `on_event` is called with each `Event`.
    `rng` makes jitter reproducible. Raise `ConfigError` for arguments that cannot work.

    Use it as `async with Client(url) as client`, or call `open` and `close`. It belongs to one event loop.
    """

    def __init__(
        self,
        url: str | Sequence[str],
        *,
        via: str | None = None,
        key: str | None = None,
        config: ClientConfig | None = None,
        ssl: tls.SSLContext | None = None,
        on_event: Callable[[Event], None] | None = None,
        rng: Random | None = None,
    ) -> None:
        self._config = config or ClientConfig()
        self._rng = rng or SystemRandom()  # no state of its own: clients are many, draws are few
        self._route = Route(url, via=via, key=key, path=CHANNELS_PATH, ssl=ssl)
        self._terms = Terms(
            self._config.message_bytes_max, self._config.close_timeout_s, self._config.read_buffer_bytes, ssl=ssl
        )
        self._on_event = on_event
        self._follow: Follow | None = None
        self._channels = Channels(self._config, self._rng, lambda channel: self._tell(Gap(channel)))
        self._reconnect = Reconnect(
            self._rng,
            base_s=self._config.backoff_base_s,
            cap_s=self._config.backoff_cap_s,
            stable_s=self._config.stable_s,
            retry_after_max_s=self._config.retry_after_max_s,
        )
        self._link: ChannelLink | None = None
        self._changed = asyncio.Event()  # set while connected, and for good when the client is over
        self._task: asyncio.Task[None] | None = None
        self._opening = False
        self._open_limit: asyncio.Timeout | None = None
        self._last_error: Exception | None = None
        self._end: Exception | None = None
        self._moves = 0

    @property
    def node(self) -> NodeName | None:
        """The node that the client is connected to now; None where it is not connected."""
        return self._link.node if self._link is not None else None

    @property
    def id(self) -> str | None:
        """What the node calls this connection; the `client` of its publications. None where not connected."""
        return self._link.client if self._link is not None else None

    @property
    def moves(self) -> int:
        """How many moves have led this client to another node."""
        return self._moves

    async def open(self) -> Self:
        """Connect; return when the node has taken the client.

        Attempts are repeated for `open_timeout_s`; then the last error is raised: `OSError` (nobody there),
        `UpgradeError` (refused; also when no node is free), `CommandError`, `ConnectionClosed`. An error that
        no repetition can heal is raised at once.
        """
        if self._task is not None:
            raise RuntimeError("the client is open, or was; make a new one")
        self._opening = True
        self._task = asyncio.create_task(self._run(), name="ringway-client")
        try:
            async with asyncio.timeout(self._config.open_timeout_s) as self._open_limit:
                await self._connected()
        except TimeoutError:
            await self.close()
            raise self._last_error or TimeoutError("no connection in time") from None
        except BaseException:
            await self.close()
            raise
        self._opening = False
        self._open_limit = None
        return self

    async def close(self) -> None:
        """End all subscriptions, say goodbye to the node, and free everything. Idempotent."""
        if self._end is None:
            self._stop(ConnectionClosed(NORMAL, "the client was closed"))
        link = self._link
        try:
            if link is not None:
                link.finish()
                await link.wait_gone()
        finally:
            if link is not None:
                link.cut()
            if self._task is not None:
                self._task.cancel()
                await asyncio.gather(self._task, return_exceptions=True)

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

        Iterate over the result or enter it (see `Subscription`). With `on_publication` each publication is handed to
        that function in the event loop instead of being queued: the cheapest way for very many subscriptions.
        `on_presence` is called with each `Joined` and `Left`, where the channel's namespace tells them.
        Raise `CommandError` 107 for an illegal name, and what ended the client where it is over.
        """
        if self._end is not None:
            raise self._end
        config = self._config
        subscription = Subscription(
            check_channel(channel),
            config.queue_max,
            config.command_timeout_s,
            self._channels.remove,
            on_publication,
            on_presence,
        )
        self._channels.add(subscription)
        return subscription

    async def publish(
        self, channel: str, data: Any, *, idempotency_key: str = "", timeout_s: float | None = None
    ) -> None:
        """Publish `data` (anything that has a JSON form) to `channel`; return when the engine has taken it.

        A refusal that the server calls temporary is repeated with jittered pauses for `timeout_s` (default
        `command_timeout_s`), and so is the wait for a connection: in both cases nothing was published. Then, and
        for any other refusal, `CommandError` is raised; `TimeoutError` where nothing was heard. Where the
        connection ends before the answer, `ConnectionClosed` is raised: the publication may have been made, so a
        repetition, which could double it, is the caller's decision. With an `idempotency_key`, of which the channel
        takes one publication in two minutes, the client repeats it then too. Raise `Overloaded` where `pending_max`
        publishes are unanswered, `TypeError` where `data` has no JSON form.
        """
        request = PublishRequest(check_channel(channel), raw(data), idempotency_key)
        refusal: CommandError | None = None
        attempt = 0
        try:
            async with asyncio.timeout(self._config.command_timeout_s if timeout_s is None else timeout_s):
                while True:
                    link = await self._connected()
                    try:
                        result_of(await link.publish(request))
                    except CommandError as error:
                        if not error.temporary:
                            raise
                        refusal = error
                    except ConnectionClosed:
                        if not idempotency_key or self._end is not None:
                            raise
                    else:
                        return
                    await asyncio.sleep(next_delay_s(attempt, self._rng, base_s=self._config.backoff_base_s))
                    attempt += 1
        except TimeoutError:
            raise refusal or TimeoutError(f"no answer to a publish to {channel!r} in time") from None

    async def history(
        self,
        channel: str,
        *,
        limit: int = 100,
        since: StreamPosition | None = None,
        reverse: bool = False,
    ) -> History:
        """Return up to `limit` publications that the server keeps of `channel`, and where it stands.

        The oldest ones, or those after `since`; with `reverse` the newest first, or those before `since`. A server
        gives no more than it is set to. Raise `CommandError` 108 where the channel keeps no history, 112 where `since`
        is of another epoch; else as `publish` does, but that nothing is lost by a repetition: the client repeats it.
        """
        place = HistorySince(offset=since.offset, epoch=since.epoch) if since is not None else None
        name = check_channel(channel)
        reply = await self._ask(history=HistoryRequest(name, limit, place, reverse))
        return read_history(name, reply.history or HistoryResult())

    async def presence(self, channel: str) -> dict[str, ClientInfo]:
        """Return who is subscribed to `channel`, by the id of the connection.

        Raise `CommandError` 108 where the namespace does not tell, 106 where there are too many to name.
        """
        reply = await self._ask(presence=PresenceRequest(check_channel(channel)))
        return (reply.presence or PresenceResult()).presence

    async def presence_stats(self, channel: str) -> PresenceStats:
        """Return how many are subscribed to `channel`. Raise `CommandError` 108 where the namespace does not tell."""
        reply = await self._ask(presence_stats=PresenceRequest(check_channel(channel)))
        return read_stats(reply.presence_stats or PresenceStatsResult())

    async def _ask(self, **request: Any) -> Reply:
        """Return the reply to a question, which may be repeated as long as `command_timeout_s` lasts."""
        refusal: Exception | None = None
        attempt = 0
        try:
            async with asyncio.timeout(self._config.command_timeout_s):
                while True:
                    link = await self._connected()
                    try:
                        return result_of(await link.call(**request))
                    except CommandError as error:
                        if not error.temporary:
                            raise
                        refusal = error
                    except ConnectionClosed:
                        if self._end is not None:
                            raise
                    await asyncio.sleep(next_delay_s(attempt, self._rng, base_s=self._config.backoff_base_s))
                    attempt += 1
        except TimeoutError:
            raise refusal or TimeoutError("no answer to a question in time") from None

    async def wait_closed(self) -> None:
        """Return when the client is over: closed, or stopped by the server for good, which raises its reason."""
        if self._task is not None:
            await asyncio.wait([self._task])
        if isinstance(self._end, ConnectionClosed) and self._end.code == NORMAL:
            return
        if self._end is not None:
            raise self._end

    async def _connected(self) -> ChannelLink:
        while self._link is None:
            if self._end is not None:
                raise self._end
            await self._changed.wait()
        return self._link

    async def _run(self) -> None:
        try:
            step: Again | None = Again(0.0)
            while step is not None:
                await asyncio.sleep(step.delay_s)
                try:
                    link = await self._attempt(step.move)
                except (OSError, RingwayError) as error:
                    step = self._failed(error)
                    continue
                self._joined(link, moved=step.move is not None and step.move.node == link.node)
                await asyncio.shield(link.ended)
                step = self._left(link)
        except Exception as error:  # a fault of ours: whoever waits learns of it, and `wait_closed` raises it
            self._stop(error)
            if self._link is not None:
                self._link.cut()

    async def _attempt(self, move: Move | None) -> ChannelLink:
        """Connect by way of one gateway after the other; return the link, or raise the last error."""
        failures: list[Exception] = []
        for gateway in self._route.shuffled(self._rng):
            try:
                way = await self._route.resolve(gateway, move, self._config.attempt_timeout_s)
                await self._wait_slot(way.wait_s)
                return await self._connect(way)
            except (OSError, RingwayError) as error:
                failures.append(error)
        raise deciding(failures)

    async def _wait_slot(self, wait_s: float) -> None:
        """Wait as the gateway asks; opening may take that much longer."""
        if wait_s > 0:
            limit = self._open_limit
            if limit is not None and (when := limit.when()) is not None and not limit.expired():
                limit.reschedule(when + wait_s)
            await asyncio.sleep(wait_s)

    async def _connect(self, way: Way) -> ChannelLink:
        """Connect to the first place on the way that can be reached; a refusal is not gone round."""
        failure: OSError = ConnectionError("the gateway named no node")
        for url in way.urls:
            link = ChannelLink(self._config, self._channels.pushed, self._lost, self._followed)
            try:
                await link.open(url, self._terms, self._config.attempt_timeout_s / len(way.urls), self._follow_for(way))
            except OSError as error:
                failure = error
            else:
                return link
        raise failure

    def _follow_for(self, way: Way) -> Follow | None:
        """How links on `way` follow moves; made when it is needed first, and kept."""
        if not way.follows:
            return None
        if self._follow is None:
            config = self._config
            self._follow = Follow(
                self._route,
                self._terms,
                self._rng,
                timeout_s=config.move_timeout_s,
                held_bytes_max=config.held_bytes_max,
                moves_burst=config.moves_burst,
            )
        return self._follow

    def _followed(self, before: NodeName, node: NodeName) -> None:
        """The link went with its session: nothing above it changes."""
        self._moves += 1
        self._tell(Moved(before, node))

    def _joined(self, link: ChannelLink, *, moved: bool) -> None:
        if not link.is_open:
            return  # it ended in the same turn; `_left` follows
        self._link = link
        self._moves += moved
        self._changed.set()
        self._channels.attach(link)
        self._tell(Connected(link.node, link.client, moved))

    def _lost(self, link: ChannelLink) -> None:
        if self._link is link:
            self._link = None
            if self._end is None:
                self._changed.clear()
            self._channels.detach()

    def _left(self, link: ChannelLink) -> Again | None:
        code, reason = link.close_code, link.close_reason
        if self._end is None and is_final_close(code, reason):
            self._stop(ConnectionClosed(code, reason))
        lived_s = asyncio.get_running_loop().time() - link.opened_at
        step = self._reconnect.after_close(code, reason, lived_s, self._route.window_s) if self._end is None else None
        target = step.move.node if step is not None and step.move is not None else None
        self._tell(Disconnected(link.node, code, reason, target, None if step is None else step.delay_s))
        return step

    def _failed(self, error: Exception) -> Again | None:
        self._last_error = error
        if is_final(error) and (self._opening or isinstance(error, CommandError | ConnectionClosed)):
            self._stop(error)
            return None
        step = self._reconnect.after_failure(error)
        self._tell(Failed(error, step.delay_s))
        return step

    def _stop(self, end: Exception) -> None:
        """The client is over; whoever waits learns why."""
        self._end = end
        self._changed.set()
        over = isinstance(end, ConnectionClosed) and end.code == NORMAL
        self._channels.end(None if over else end)

    def _tell(self, event: Event) -> None:
        if self._on_event is not None:
            asyncio.get_running_loop().call_soon(self._on_event, event)
