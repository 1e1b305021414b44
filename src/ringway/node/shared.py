"""What the connections of one node share. Made by the server, owned by nobody else."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ringway.types import NodeName, NodeState

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from ringway.core.hub import Hub
    from ringway.node.accept import Gate
    from ringway.node.arrival import Arrivals
    from ringway.node.config import NodeConfig
    from ringway.node.connection import Connection
    from ringway.node.intake import Intake
    from ringway.node.keepalive import Keepalive
    from ringway.node.namespace import Namespaces
    from ringway.node.outbox import Outbox, Send
    from ringway.node.presence import Presence
    from ringway.node.roster import Roster
    from ringway.node.stats import Stats
    from ringway.node.streams import Streams
    from ringway.node.worker import Workers
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
