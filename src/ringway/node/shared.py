"""What the connections of one node share. Made by the server, owned by nobody else."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ringway.types import NodeName, NodeState

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from ringway.core.hub import Hub
    from ringway.node.channels.presence import Presence
    from ringway.node.channels.streams import Streams
    from ringway.node.commands.queue import Workers
    from ringway.node.config.namespace import Namespaces
    from ringway.node.config.node import NodeConfig
    from ringway.node.connection.connection import Connection
    from ringway.node.connection.intake import Intake
    from ringway.node.connection.keepalive import Keepalive
    from ringway.node.connection.listener import Gate
    from ringway.node.connection.outbox import Outbox, Send
    from ringway.node.connection.registry import Roster
    from ringway.node.sessions.target import Arrivals
    from ringway.node.stats import Stats
    from ringway.ports import Engine
    from ringway.protocol.envelope import Origin


@dataclass(slots=True)
class Shared:
    """The parts of a node, for those that need several of them."""

    name: NodeName
    version: str
    config: "NodeConfig"
    engine: "Engine"
    clock: "Callable[[], float]"
    rng: "Random"
    stats: "Stats"
    hub: "Hub[Connection, Send]"
    watchers: "Hub[Connection, Send]"  # of joins and leaves
    outbox: "Outbox"
    roster: "Roster"
    gate: "Gate"
    keepalive: "Keepalive"
    namespaces: "Namespaces"
    streams: "Streams"
    presence: "Presence"
    origin: "Origin"
    workers: "Workers"
    intake: "Intake"
    arrivals: "Arrivals"
    connections_max: int
    state: NodeState = NodeState.ACTIVE
    second: int = 0  # of `clock`, as of the last beat: one object for all connections that keep it

    @property
    def cool_down_s(self) -> float:
        """How long connections that were moved here stay: not at all while the node drains."""
        return 0.0 if self.state is NodeState.DRAINING else self.config.move_cool_down_s
