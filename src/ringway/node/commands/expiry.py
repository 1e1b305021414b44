"""Expiry of connections and subscriptions: they end when their tokens do, unless the client sends new ones in time.

If a hook decides (`node.commands.hook_refreshes`), it is asked at the end, and the client does nothing. A connection
without an end costs nothing here. Ends are Unix time, so they are the same at every node: a session that arrives after
its end is looked at in the next tick.
"""

from collections.abc import Callable
from math import inf

from ringway.core.expiries import Expiries
from ringway.core.subscription_rights import SubscriptionRights
from ringway.node.commands.hook_refreshes import HookRefreshes, RefreshEnd
from ringway.node.config.node import NodeConfig
from ringway.node.connection.connection import Connection
from ringway.protocol.close import CONNECTION_EXPIRED, SUBSCRIPTION_EXPIRED
from ringway.types import Channel

UNSUBSCRIBED_EXPIRED = 2501
"""The code of an unsubscribe push for an expired subscription: the client subscribes again, with a new token."""


class Expiry:
    """Ends what has expired. `unsubscribe` ends one subscription; `wall` is Unix time, in seconds."""

    __slots__ = ("_close_delay_s", "_deadlines", "_refreshes", "_sub_close_delay_s", "_unsubscribe", "_wall")

    def __init__(
        self,
        config: NodeConfig,
        wall: Callable[[], float],
        unsubscribe: Callable[[Connection, Channel, int, str], None],
        refreshes: HookRefreshes,
    ) -> None:
        self._close_delay_s = config.expired_close_delay_s
        self._sub_close_delay_s = config.expired_sub_close_delay_s
        self._wall = wall
        self._unsubscribe = unsubscribe
        self._refreshes = refreshes
        self._deadlines: Expiries[Connection] = Expiries()

    def __len__(self) -> int:
        """Return the number of connections with an end."""
        return len(self._deadlines)

    def watch(self, connection: Connection) -> None:
        """End the connection and its subscriptions at their times; call it again when one has changed."""
        due_at = self._due_at(connection, None, connection.credentials.expires_at)
        for channel, rights in connection.rights.items():
            due_at = min(due_at, self._due_at(connection, channel, rights.expires_at))
        if due_at < inf:
            self._deadlines.put(connection, due_at)
        else:
            self._deadlines.drop(connection)

    def forget(self, connection: Connection) -> None:
        """Forget a connection that is over."""
        self._deadlines.drop(connection)
        self._refreshes.forget(connection)

    def left(self, expires_at: float) -> tuple[bool, int]:
        """Return whether there is an end, and the whole seconds until then, at least 1; 0 without an end."""
        return (True, max(1, int(expires_at - self._wall()))) if expires_at < inf else (False, 0)

    def is_over(self, expires_at: float) -> bool:
        """True if the time `expires_at` has come."""
        return expires_at <= self._wall()

    def told(self, channel: Channel | None, expires_at: float) -> tuple[bool, int]:
        """Return what the client is told of the end of a subscription, or of its connection: as `left`.

        It is told of no end if a hook is asked then, in place of a new token.
        """
        return self.left(inf if self.is_by_hook(channel) else expires_at)

    def is_by_hook(self, channel: Channel | None) -> bool:
        """True if a hook says how a subscription, or a connection, goes on."""
        return self._refreshes.hook_of(channel) is not None

    def tick(self) -> None:
        """Let time pass; call it a few times a second."""
        now = self._wall()
        for connection in self._deadlines.due(now):
            self._end_due(connection, now)

    def _due_at(self, connection: Connection, channel: Channel | None, expires_at: float) -> float:
        if expires_at == inf:
            return inf
        if self._refreshes.hook_of(channel) is not None:
            return self._refreshes.due_at(connection, channel, expires_at)
        return expires_at + (self._close_delay_s if channel is None else self._sub_close_delay_s)

    def _end_due(self, connection: Connection, now: float) -> None:
        if self._is_over(connection, None, connection.credentials.expires_at, now):
            connection.close(CONNECTION_EXPIRED, "connection expired")
        for channel, rights in connection.rights.items():
            if not connection.is_usable:
                return
            if channel in connection.channels and self._is_over(connection, channel, rights.expires_at, now):
                self._end_subscription(connection, channel, rights)
        if connection.is_usable:
            self.watch(connection)

    def _is_over(self, connection: Connection, channel: Channel | None, expires_at: float, now: float) -> bool:
        """True if the time is over; if a hook may give more, it is asked."""
        hook = self._refreshes.hook_of(channel)
        if hook is None or expires_at > now:
            return self._due_at(connection, channel, expires_at) <= now
        if self._refreshes.ends_at(expires_at) <= now:
            return True
        self._refreshes.begin(connection, channel, hook, self._on_refreshed)
        return False

    def _on_refreshed(self, connection: Connection, channel: Channel | None, end: RefreshEnd | None) -> None:
        if end is not None:
            if end.code:
                connection.close(end.code, end.reason)
            elif channel is None:
                connection.close(CONNECTION_EXPIRED, "connection expired")
            else:
                self._end_subscription(connection, channel, connection.rights[channel])
        if connection.is_usable:
            self.watch(connection)

    def _end_subscription(self, connection: Connection, channel: Channel, rights: SubscriptionRights) -> None:
        if rights.is_server_side:
            connection.close(SUBSCRIPTION_EXPIRED, "subscription expired")
        else:
            self._unsubscribe(connection, channel, UNSUBSCRIBED_EXPIRED, "subscription expired")
