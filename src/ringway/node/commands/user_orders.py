"""Orders of backends to the clients of a user, carried out at this node (PROTOCOL.md P-9.13).

An order reaches all nodes. Each carries it out for the connections that it has, and remembers it for sessions that come
from other nodes (`core.recent_orders`): so nobody escapes an order by a move.
"""

import asyncio
from collections.abc import Callable
from math import inf

import msgspec

from ringway.core.subscription_rights import SubscriptionRights
from ringway.errors import CommandError, EngineError
from ringway.logger import get_logger
from ringway.node.commands.context import CommandContext
from ringway.node.commands.subscribe import join, unsubscribe
from ringway.node.connection.connection import Connection
from ringway.node.connection.registry import ConnectionRegistry
from ringway.ports import Bus, Serving
from ringway.protocol.channel import check_channel
from ringway.protocol.close import CONNECTION_EXPIRED, SERVICE_RESTART
from ringway.protocol.codec import encode as encode_reply
from ringway.protocol.command import Push, RefreshPush, Reply, SubscribePush, raw_or_absent
from ringway.protocol.user_order import (
    FOUND_BYTES_MAX,
    USERS,
    AskConnections,
    DisconnectOrder,
    FoundConnection,
    NewestOrder,
    NodeConnections,
    OrderDone,
    RefreshOrder,
    SubscribeOrder,
    UnsubscribeOrder,
    UserOrder,
    decode_request,
    encode,
)
from ringway.types import Channel, Incarnation

TURN_CLIENTS = 100
"""Clients for whom an order is carried out in one turn of the event loop: some 5 ms."""

TOGETHER_S = 5.0
"""Connections of a user that come within this time come together: longer than an order is under way."""

_log = get_logger()


class UserOrders:
    """Carries out orders at one node. `clock` is monotonic."""

    def __init__(
        self,
        context: CommandContext,
        registry: ConnectionRegistry[Connection],
        bus: Bus,
        incarnation: Incarnation,
        clock: Callable[[], float],
    ) -> None:
        self._context = context
        self._registry = registry
        self._bus = bus
        self._incarnation = incarnation
        self._clock = clock
        self._recent = context.orders
        self._serving: Serving | None = None

    async def start(self) -> None:
        """Begin to carry out orders."""
        self._serving = await self._bus.serve(USERS, self.handle)

    async def stop(self) -> None:
        """Carry out no more orders."""
        if self._serving is not None:
            await self._serving.close()

    def tick(self, now: float) -> None:
        """Let time pass; call it several times a second."""
        self._recent.tick(now)

    async def handle(self, raw: bytes) -> bytes:
        """Carry out one order (`ports.Handler`). Raise `ProtocolError` if it cannot be read."""
        request = decode_request(raw)
        if isinstance(request, AskConnections):
            return encode(self._name(request))
        self._recent.add(request, self._clock())
        found = [each for each in self._clients_of(request) if request.concerns(each.client)]
        clients = [each for each in found if not self._is_newer(request, each)]
        await self._carry_out(request, clients)
        newer = len(found) - len(clients)
        return encode(OrderDone(incarnation=self._incarnation, count=len(clients), newer=newer))

    def _is_newer(self, order: UserOrder, client: Connection) -> bool:
        """True if the client has come at almost the same time as the newest of `order`, and after it.

        Clocks decide only between clients that come together: a connection that is there for a while is older.
        """
        if not isinstance(order, NewestOrder):
            return False
        connected_at = client.credentials.connected_at
        came_lately = self._context.tokens.wall() - connected_at < TOGETHER_S
        return came_lately and order.is_newer(client.client, connected_at)

    # sessions that come

    @property
    def number(self) -> int:
        """The number of orders until now: a session that is prepared now must be told the later ones."""
        return self._recent.number

    def end_of(self, user: str, client: str, since: int, connected_at: float = 0.0) -> tuple[int, str] | None:
        """Return code and reason with which a session must end that was prepared at the number `since`; None if not."""
        orders = self._recent.due(user, client, since, connected_at)
        return next(((each.code, each.reason) for each in orders if isinstance(each, DisconnectOrder)), None)

    def end_session(self, connection: Connection, since: int) -> None:
        """Close a client whose session is served now, if a disconnect is for it, or orders may have been forgotten."""
        credentials = connection.credentials
        end = self.end_of(credentials.user, connection.client, since, credentials.connected_at)
        if end is not None:
            connection.close(*end)
        elif not self._recent.remembers_since(since):
            connection.close(SERVICE_RESTART)

    async def catch_up(self, connection: Connection, since: int) -> None:
        """Carry out the orders after the number `since` for a client whose session is served now."""
        for order in self._recent.due(connection.credentials.user, connection.client, since, 0.0):
            await self._carry_out(order, [connection])

    # carrying out

    def _clients_of(self, order: UserOrder) -> list[Connection]:
        """Return the connected clients of the order's user; of the anonymous, those that it names."""
        if order.user:
            return self._registry.of_user(order.user)
        return [each for each in self._registry if each.is_connected and not each.credentials.user]

    async def _carry_out(self, order: UserOrder, clients: list[Connection]) -> None:
        if isinstance(order, SubscribeOrder):
            await self._subscribe(order, clients)
            return
        for number, client in enumerate(clients, 1):
            if isinstance(order, DisconnectOrder):
                client.close(order.code, order.reason)
            elif isinstance(order, UnsubscribeOrder):
                self._unsubscribe(order, client)
            elif isinstance(order, RefreshOrder):
                self._refresh(order, client)
            if number % TURN_CLIENTS == 0:
                await asyncio.sleep(0)

    def _unsubscribe(self, order: UnsubscribeOrder, client: Connection) -> None:
        """End subscriptions, also one whose command waits for a hook or the engine: it came before the order."""
        if client.command_queue is not None:
            client.command_queue.unsubscribe(order.channel)
        channels = [Channel(order.channel)] if order.channel else list(client.channels)
        for channel in channels:
            if client.is_usable and channel in client.channels:
                unsubscribe(self._context, client, channel, order.code, order.reason)

    def _refresh(self, order: RefreshOrder, client: Connection) -> None:
        """Set another end, and tell the client; one that is over closes it."""
        if not client.is_connected:
            return
        expires_at = order.expires_at or inf
        left = self._context.expiry.left(expires_at)
        if order.expired or self._context.expiry.is_over(expires_at):
            client.close(CONNECTION_EXPIRED, "connection expired")
            return
        before = client.credentials
        info = before.info if order.info is None else order.info.encode()
        client.credentials = msgspec.structs.replace(before, expires_at=expires_at, info=info)
        self._context.expiry.watch(client)
        client.reply([encode_reply(Reply(push=Push(refresh=RefreshPush(*left))))])

    async def _subscribe(self, order: SubscribeOrder, clients: list[Connection]) -> None:
        """Subscribe the clients that are not subscribed, as far as they may have more subscriptions."""
        channel, streams = check_channel(order.channel), self._context.channels.streams
        if not any(self._may_join(client, channel) for client in clients):
            return
        joined = False
        try:
            async with asyncio.timeout(self._context.config.engine_deadline_s):
                await streams.obtain(channel)
        except (EngineError, TimeoutError, CommandError) as error:
            _log.warning("clients were not subscribed by an order", channel=channel, error=str(error))
            return
        try:
            for number, client in enumerate(clients, 1):
                if self._may_join(client, channel):
                    self._join(order, client, channel)
                    joined = True
                if number % TURN_CLIENTS == 0 and joined:
                    await asyncio.sleep(0)
        finally:
            if not joined:
                streams.release(channel)

    def _may_join(self, client: Connection, channel: Channel) -> bool:
        most, shares = self._context.config.subscriptions_max, self._context.shares
        if shares.counts and shares.lack_of_room(client):
            return False
        return client.is_connected and channel not in client.channels and len(client.channels) < most

    def _join(self, order: SubscribeOrder, client: Connection, channel: Channel) -> None:
        space = self._context.channels.namespaces.of(channel)
        rights = SubscriptionRights(order.info.encode(), order.expires_at or float("inf"), is_server_side=True)
        join(self._context, client, channel, rights)
        pushed = SubscribePush(
            recoverable=space.recoverable, positioned=space.positioned, data=raw_or_absent(order.data.encode())
        )
        if space.positioned:
            stream = self._context.channels.streams.flush(channel)
            pushed.epoch, pushed.offset = stream.epoch, stream.position
        client.reply([encode_reply(Reply(push=Push(channel=channel, subscribe=pushed)))])

    # questions

    def _name(self, request: AskConnections) -> NodeConnections:
        found: dict[str, FoundConnection] = {}
        size = 0
        for client in self._registry.of_user(request.user) if request.user else self._registry:
            if not client.is_connected or not request.concerns(client.client):
                continue
            each = _describe(client)
            size += len(msgspec.json.encode(each)) + len(client.client)
            if len(found) >= request.connections_max or size > FOUND_BYTES_MAX:
                return NodeConnections(incarnation=self._incarnation, connections=found, is_cut=True)
            found[client.client] = each
        return NodeConnections(incarnation=self._incarnation, connections=found)


def _describe(client: Connection) -> FoundConnection:
    credentials = client.credentials
    return FoundConnection(
        user=credentials.user,
        channels=tuple(client.channels),
        server_side=tuple(
            channel for channel in client.channels if (each := client.rights.get(channel)) and each.is_server_side
        ),
        token_id=credentials.jti,
        issued_at=credentials.issued_at,
        meta=credentials.meta.decode(),
    )
