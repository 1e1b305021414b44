"""Expiry of connections and subscriptions: they end when their tokens do, unless the client sends new ones in time.

A connection without an end costs nothing here. Ends are Unix time, so they are the same at every node: a session that
arrives after its end is closed at the next tick.
"""

from collections.abc import Callable
from math import inf

from ringway.core.expiries import Expiries
from ringway.node.config.node import NodeConfig
from ringway.node.connection.connection import Connection
from ringway.protocol.close import CONNECTION_EXPIRED, SUBSCRIPTION_EXPIRED
from ringway.types import Channel

UNSUBSCRIBED_EXPIRED = 2501
"""The code of an unsubscribe push for an expired subscription: the client subscribes again, with a new token."""


class Expiry:
    """Ends what has expired. `unsubscribe` ends one subscription; `wall` is Unix time, in seconds."""

    __slots__ = ("_close_delay_s", "_deadlines", "_sub_close_delay_s", "_unsubscribe", "_wall")

    def __init__(
        self,
        config: NodeConfig,
        wall: Callable[[], float],
        unsubscribe: Callable[[Connection, Channel, int, str], None],
    ) -> None:
        self._close_delay_s = config.expired_close_delay_s
        self._sub_close_delay_s = config.expired_sub_close_delay_s
        self._wall = wall
        self._unsubscribe = unsubscribe
        self._deadlines: Expiries[Connection] = Expiries()

    def __len__(self) -> int:
        """Return the number of connections with an end."""
        return len(self._deadlines)

    def watch(self, connection: Connection) -> None:
        """End the connection and its subscriptions at their times; call it again when one has changed."""
        ends_at = connection.credentials.expires_at + self._close_delay_s
        for rights in connection.rights.values():
            ends_at = min(ends_at, rights.expires_at + self._sub_close_delay_s)
        if ends_at < inf:
            self._deadlines.put(connection, ends_at)
        else:
            self._deadlines.drop(connection)

    def forget(self, connection: Connection) -> None:
        """Forget a connection that is over."""
        self._deadlines.drop(connection)

    def left(self, expires_at: float) -> tuple[bool, int]:
        """Return whether there is an end, and the whole seconds until then, at least 1; 0 without an end."""
        return (True, max(1, int(expires_at - self._wall()))) if expires_at < inf else (False, 0)

    def is_over(self, expires_at: float) -> bool:
        """True if the time `expires_at` has come."""
        return expires_at <= self._wall()

    def tick(self) -> None:
        """Let time pass; call it a few times a second."""
        now = self._wall()
        for connection in self._deadlines.due(now):
            self._end(connection, now)

    def _end(self, connection: Connection, now: float) -> None:
        if connection.credentials.expires_at + self._close_delay_s <= now:
            connection.close(CONNECTION_EXPIRED, "connection expired")
        for channel, rights in connection.rights.items():
            if not connection.is_usable:
                return
            if rights.expires_at + self._sub_close_delay_s > now or channel not in connection.channels:
                continue
            if rights.is_server_side:
                connection.close(SUBSCRIPTION_EXPIRED, "subscription expired")
            else:
                self._unsubscribe(connection, channel, UNSUBSCRIBED_EXPIRED, "subscription expired")
        if connection.is_usable:
            self.watch(connection)
