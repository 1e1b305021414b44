"""HTTP connections of the public port: their admission, their eviction for newer connections, and the deadline of
each."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from ringway.core.files import FileBudget
from ringway.core.pending import Pending
from ringway.errors import UpgradeError
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.placement.address_limits import AddressLimits
from ringway.gateway.stats import GatewayStats
from ringway.net.lingering_close import LingeringCloses

LINGERING_MAX = 4096
"""Connections that get the reason of their refusal at one time; fewer if open files are few."""

EVICTIONS_MAX = 2
"""Connections that are closed for each new connection: enough if the room has become smaller meanwhile."""


class PublicConnection(Protocol):
    """A connection, as its owner sees it."""

    transport: asyncio.Transport
    deadline: float
    """The time at which it is closed, while it waits for a whole head, or idles between two requests."""

    def refuse(self, error: UpgradeError) -> None:
        """Answer with `error`, and end the connection."""

    def expire(self) -> None:
        """End the connection because its deadline has passed."""


class Carried(Protocol):
    """What the gateway carries to nodes and backends."""

    @property
    def files(self) -> int:
        """The present and expected descriptors."""


class HttpConnections:
    """The connections of one gateway while they speak HTTP, and lingering connections.

    If there is no room, the address with the most connections loses the connection that has waited longest.
    """

    def __init__(
        self,
        config: GatewayConfig,
        carried: Carried,
        stats: GatewayStats,
        clock: Callable[[], float],
        limits: AddressLimits,
        files: FileBudget,
        lingering: LingeringCloses,
    ) -> None:
        self.lingering = lingering
        self._config = config
        self._carried = carried
        self._stats = stats
        self._clock = clock
        self._limits = limits
        self._files = files
        self._pending: Pending[PublicConnection] = Pending()
        self._sweeps = (clock(), clock())
        """The times of the last two sweeps. Silence is checked as of the sweep before the last: a busy process has not
        read since."""
        self._spoken: dict[PublicConnection, None] = {}  # connections that have sent bytes, the longest ago first

    def add(self, connection: PublicConnection) -> None:
        """Add a new connection. Without room, an older connection is closed, or the new connection is refused."""
        stats, now = self._stats, self._clock()
        stats.connections += 1
        room = self._files.pending_max(self._carried.files, self._config.heads_pending_max)
        address = self._limits.peer_address(connection.transport)
        for _ in range(EVICTIONS_MAX):
            if len(self._pending) + len(self.lingering) < room:
                break
            if not self._evict(room, address):
                self._turn_away(connection)
                return
        self._pending.add(connection, address, now)
        connection.deadline = now + self._config.head_deadline_s
        stats.heads_pending = len(self._pending)

    def arrivals_max(self) -> int:
        """Return how many sockets may be in a TLS handshake, beside the connections that there are."""
        staying = self._carried.files + len(self._pending) + len(self.lingering)
        return self._files.pending_max(staying, self._config.heads_pending_max)

    def remove(self, connection: PublicConnection) -> None:
        """Forget a connection that does not speak HTTP any more. Idempotent."""
        self._pending.remove(connection)
        self._spoken.pop(connection, None)
        self._stats.heads_pending = len(self._pending)

    def pass_on(self, connection: PublicConnection) -> None:
        """Forget a connection while its request is being carried; `come_back` or `remove` follows."""
        self.remove(connection)

    def come_back(self, connection: PublicConnection) -> None:
        """Own a connection again whose request was answered; it idles until the next one."""
        self._pending.add(connection, self._limits.peer_address(connection.transport), self._clock())
        self._spoken[connection] = None
        self._stats.heads_pending = len(self._pending)
        connection.deadline = self.next_deadline(partial=False)

    def on_partial_head(self, connection: PublicConnection) -> None:
        """Record that a connection has sent a part of a request."""
        self._spoken[connection] = None

    def on_request(self, connection: PublicConnection) -> None:
        """Record that a connection has sent a whole request: of the idle connections it is the last to be closed."""
        self._pending.renew(connection, self._clock())
        self._spoken.pop(connection, None)
        self._spoken[connection] = None

    def next_deadline(self, *, partial: bool) -> float:
        """Return the deadline of a connection that has sent a part of a head, or idles between two requests."""
        return self._clock() + (self._config.head_deadline_s if partial else self._config.keepalive_idle_s)

    def sweep(self) -> None:
        """Close connections whose time has passed; call it a few times a second."""
        now = self._clock()
        self._sweeps = (self._sweeps[1], now)
        for connection in [connection for connection in self._pending if connection.deadline <= now]:
            self._stats.evicted += 1
            connection.expire()
        self._limits.log_refusals()

    def abort(self) -> None:
        """End every connection that still speaks HTTP, or lingers."""
        for connection in self._pending:
            self.remove(connection)
            connection.transport.abort()
        self.lingering.abort()

    def _evict(self, room: int, newcomer: str) -> bool:
        """Close one connection to make room; return False if there is no candidate."""
        if 2 * len(self.lingering) > room and self.lingering.cut_oldest():
            return True
        victim = self._pending.victim(self._sweeps[0], newcomer) or next(iter(self._spoken), None)
        if victim is None:
            return False
        self.remove(victim)
        self._stats.evicted += 1
        victim.transport.abort()
        return True

    def _turn_away(self, connection: PublicConnection) -> None:
        """Refuse a connection, with a time to retry: all other connections are too new to be closed."""
        self._stats.evicted += 1
        files = self._files
        spare = files.files - files.own - self._carried.files - len(self._pending)
        if len(self.lingering) >= max(files.new // 2, min(LINGERING_MAX, spare)):
            self.lingering.cut_oldest()
        pause_s = str(2 + self._stats.evicted % 8)  # so that clients do not retry together
        connection.refuse(
            UpgradeError(503, "too many connections come at once; come again later", (("Retry-After", pause_s),))
        )
