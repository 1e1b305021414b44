"""Connection of a channel client that is repeated after each loss, and follows the servers' moves.

One task (`_run`) owns it: it connects, waits for the end, and carries out the decisions of `Reconnect`. All other work
is done in callbacks of the event loop. So a client costs one task, one timer and one socket.
"""

import asyncio
import ssl as tls
from collections.abc import Callable, Sequence
from random import Random, SystemRandom

from ringway.client.channels import ClientChannels
from ringway.client.config import ClientConfig
from ringway.client.event import Connected, Disconnected, Event, Failed, Gap, Moved
from ringway.client.follow import Follow
from ringway.client.link import ChannelLink, result_of
from ringway.client.opener import Terms
from ringway.client.reconnect import Again, Reconnect, deciding, is_final, is_final_close
from ringway.client.route import CHANNELS_PATH, Route, Way
from ringway.client.token import ClientToken, Token
from ringway.errors import CommandError, ConnectionClosed, RingwayError
from ringway.protocol.close import CONNECTION_EXPIRED, NORMAL
from ringway.protocol.command import RefreshRequest, RefreshResult
from ringway.protocol.move import Move
from ringway.tasks import Tasks
from ringway.types import Channel, NodeName

REFRESH_AT = 0.9
"""The part of a token's time after which the next one is fetched; the server waits some 25 s beyond its end."""


class PersistentConnection:
    """One client's connection to its node, repeated until `close` or until the server ends it for good.

    The arguments are those of `Client`. `channels` are subscribed again on each new connection.
    """

    def __init__(
        self,
        url: str | Sequence[str],
        *,
        via: str | None,
        key: str | None,
        token: Token | None,
        config: ClientConfig,
        ssl: tls.SSLContext | None,
        on_event: Callable[[Event], None] | None,
        rng: Random | None,
    ) -> None:
        self.rng = rng or SystemRandom()  # without a state: clients are many, draws are few
        self.channels = ClientChannels(config, self.rng, self._on_gap)
        self.link: ChannelLink | None = None
        """The connection to the node; None while there is no connection."""
        self.moves = 0
        """The number of moves that this client has followed."""
        self.end: Exception | None = None
        """The reason of the client's end; None before it."""
        self._config = config
        self._route = Route(url, via=via, key=key, path=CHANNELS_PATH, ssl=ssl)
        self._terms = Terms(config.message_bytes_max, config.close_timeout_s, config.read_buffer_bytes, ssl=ssl)
        self._on_event = on_event
        self._token = ClientToken(token)
        self._refreshing: asyncio.Task[None] | None = None
        self._follow: Follow | None = None
        self._reconnect = Reconnect(
            self.rng,
            base_s=config.backoff_base_s,
            cap_s=config.backoff_cap_s,
            stable_s=config.stable_s,
            retry_after_max_s=config.retry_after_max_s,
        )
        self._changed = asyncio.Event()  # set while connected, and for good when the client is over
        self._tasks = Tasks()
        self._task: asyncio.Task[None] | None = None
        self._opening = False
        self._open_limit: asyncio.Timeout | None = None
        self._last_error: Exception | None = None

    async def open(self) -> None:
        """Connect; errors are those of `Client.open`."""
        if self._task is not None:
            raise RuntimeError("the client is open, or was; make a new one")
        self._opening = True
        self._task = self._tasks.spawn(self._run(), name="ringway-client")
        try:
            async with asyncio.timeout(self._config.open_timeout_s) as self._open_limit:
                await self.wait_connected()
        except TimeoutError:
            await self.close()
            raise self._last_error or TimeoutError("no connection in time") from None
        except BaseException:
            await self.close()
            raise
        self._opening = False
        self._open_limit = None

    async def close(self) -> None:
        """End all subscriptions, close the connection to the node, and free everything. Idempotent."""
        if self.end is None:
            self._stop(ConnectionClosed(NORMAL, "the client was closed"))
        link = self.link
        try:
            if link is not None:
                link.finish()
                await link.wait_gone()
        finally:
            if link is not None:
                link.cut()
            await self._tasks.aclose()

    async def wait_closed(self) -> None:
        """Return when the client was closed; raise the reason if the server has ended it for good."""
        if self._task is not None:
            await asyncio.wait([self._task])
        if isinstance(self.end, ConnectionClosed) and self.end.code == NORMAL:
            return
        if self.end is not None:
            raise self.end

    async def wait_connected(self) -> ChannelLink:
        """Return the link to the node, as soon as there is one; raise `end` if the client is over."""
        while self.link is None:
            if self.end is not None:
                raise self.end
            await self._changed.wait()
        return self.link

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
        except Exception as error:  # a fault of this library: all waiting calls raise it, and `wait_closed` too
            self._stop(error)
            if self.link is not None:
                self.link.cut()

    async def _attempt(self, move: Move | None) -> ChannelLink:
        """Connect through the gateways in turn; return the link, or raise the error that decides on the next step."""
        failures: list[Exception] = []
        for gateway in self._route.shuffled(self.rng):
            try:
                way = await self._route.resolve(gateway, move, self._config.attempt_timeout_s)
                await self._wait_slot(way.wait_s)
                return await self._connect(way)
            except (OSError, RingwayError) as error:
                failures.append(error)
        raise deciding(failures)

    async def _wait_slot(self, wait_s: float) -> None:
        """Wait for the gateway's slot; the deadline of opening is extended by the same time."""
        if wait_s > 0:
            limit = self._open_limit
            if limit is not None and (when := limit.when()) is not None and not limit.expired():
                limit.reschedule(when + wait_s)
            await asyncio.sleep(wait_s)

    async def _connect(self, way: Way) -> ChannelLink:
        """Connect to the first reachable URL of `way`; after a refusal no other URL is tried."""
        token = await self._token.current()
        failure: OSError = ConnectionError("the gateway named no node")
        for url in way.urls:
            link = ChannelLink(self._config, self.channels.pushed, self._lost, self._followed)
            try:
                within_s = self._config.attempt_timeout_s / len(way.urls)
                await link.open(url, self._terms, within_s, self._follow_for(way), token)
            except OSError as error:
                failure = error
            else:
                return link
        raise failure

    def _follow_for(self, way: Way) -> Follow | None:
        """Return the follower of moves for links on `way`; made when it is first needed, then reused."""
        if not way.follows:
            return None
        if self._follow is None:
            config = self._config
            self._follow = Follow(
                self._route,
                self._terms,
                self.rng,
                timeout_s=config.move_timeout_s,
                held_bytes_max=config.held_bytes_max,
                moves_burst=config.moves_burst,
            )
        return self._follow

    def _followed(self, before: NodeName, node: NodeName) -> None:
        """Count a move that the link has followed with its session: the subscriptions do not change."""
        self.moves += 1
        self._report(Moved(before, node))

    def _joined(self, link: ChannelLink, *, moved: bool) -> None:
        if not link.is_open:
            return  # it ended in the same turn; `_left` follows
        self.link = link
        self.moves += moved
        self._changed.set()
        if link.expires_in_s is not None and self._token.is_renewable:
            self._refreshing = self._tasks.spawn(self._refresh(link, link.expires_in_s), name="refresh of a token")
        self.channels.attach(link)
        self._report(Connected(link.node, link.client, moved))

    def _lost(self, link: ChannelLink) -> None:
        if self.link is link:
            self.link = None
            if self.end is None:
                self._changed.clear()
            self.channels.detach()
            if self._refreshing is not None:
                self._refreshing.cancel()
                self._refreshing = None

    async def _refresh(self, link: ChannelLink, ttl_s: float) -> None:
        """Send a new token each time the present one is about to end; a refusal ends at a close of the server."""
        expires = True
        while expires:
            await asyncio.sleep(ttl_s * REFRESH_AT)
            try:
                reply = await link.call(refresh=RefreshRequest(await self._token.renew()))
                result = result_of(reply).refresh or RefreshResult()
            except CommandError as error:
                self._token.drop()
                self._report(Failed(error, 0.0))
                return
            expires, ttl_s = result.expires, result.ttl

    def _left(self, link: ChannelLink) -> Again | None:
        code, reason = link.close_code, link.close_reason
        if code == CONNECTION_EXPIRED:
            self._token.drop()
        if self.end is None and is_final_close(code, reason):
            self._stop(ConnectionClosed(code, reason))
        lived_s = asyncio.get_running_loop().time() - link.opened_at
        step = self._reconnect.after_close(code, reason, lived_s, self._route.window_s) if self.end is None else None
        target = step.move.node if step is not None and step.move is not None else None
        self._report(Disconnected(link.node, code, reason, target, None if step is None else step.delay_s))
        return step

    def _failed(self, error: Exception) -> Again | None:
        self._last_error = error
        renews = self._token.on_refused(error)
        if is_final(error) and not renews and (self._opening or isinstance(error, CommandError | ConnectionClosed)):
            self._stop(error)
            return None
        step = self._reconnect.after_failure(error)
        self._report(Failed(error, step.delay_s))
        return step

    def _stop(self, end: Exception) -> None:
        """End the client: all waiting calls raise `end`."""
        self.end = end
        self._changed.set()
        over = isinstance(end, ConnectionClosed) and end.code == NORMAL
        self.channels.end_all(None if over else end)

    def _on_gap(self, channel: Channel) -> None:
        self._report(Gap(channel))

    def _report(self, event: Event) -> None:
        if self._on_event is not None:
            asyncio.get_running_loop().call_soon(self._on_event, event)
