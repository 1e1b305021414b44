"""Holder of a channel node: its connections, in the view of the member (`ringway.member.holder`)."""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from ringway.core.move_outcomes import MoveOutcomes
from ringway.member.holder import CloseCause, HolderCounts, HolderMeasures
from ringway.protocol.close import SERVICE_RESTART, SHUTDOWN

if TYPE_CHECKING:
    from ringway.node.clients import NodeClients
    from ringway.node.connection.connection import Connection
    from ringway.node.stats import NodeStats
    from ringway.types import NodeName


class ChannelHolder:
    """Holds the connections of `clients`; `stats` are those of the node."""

    def __init__(self, clients: "NodeClients", stats: "NodeStats") -> None:
        self._registry = clients.registry
        self._handshakes = clients.handshakes
        self._donors = clients.donors
        self._connections_max = clients.connections_max
        self._stats = stats

    def counts(self) -> HolderCounts:
        """Return the counts of connections."""
        registry, opening = self._registry, len(self._handshakes)
        return HolderCounts(registry.connected, opening + registry.waiting, len(registry) + opening)

    def measures(self, now: float, cool_down_s: float) -> HolderMeasures:
        """Return the node's counters and measurements."""
        stats = self._stats
        return HolderMeasures(
            connections_max=self._connections_max,
            cooling=self._registry.cooling(now, cool_down_s),
            handshake_p99_s=round(self._handshakes.latency.p99(now), 6),
            sockets=self._handshakes.sockets,
            accepted=stats.accepted,
            sent_bytes=stats.sent_bytes,
            messages_in=stats.publications,
            messages_out=stats.deliveries,
            outcomes=MoveOutcomes(stats.resumed, stats.moves_reconnected, stats.moves_lost, stats.moves_apart),
        )

    def usable_connections(self) -> "list[Connection]":
        """Return the connections that are not being closed."""
        return [connection for connection in self._registry if connection.is_usable]

    async def send_off(self, connection: "Connection", target: "NodeName", clock_s: float = 0.0) -> None:
        """Move the connection, with its session if its client follows moves."""
        if connection.may_leave:
            await self._donors.send_off(connection, target, clock_s)

    def close_connection(self, connection: "Connection", cause: CloseCause) -> None:
        """Close with 3001 at a shutdown, with 1012 for any other cause."""
        if not connection.is_usable:
            return
        connection.close(SHUTDOWN if cause is CloseCause.SHUTDOWN else SERVICE_RESTART, cause.value)
        self._stats.drained += cause is CloseCause.DRAINED
        self._stats.fenced += cause is CloseCause.FENCED

    async def cut_rest(self, within_s: float) -> None:
        """Cut the connections whose clients have not answered after `within_s`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._registry.wait_until_empty()
        for connection in self._registry:
            connection.cut()
        await self._registry.wait_until_empty()
