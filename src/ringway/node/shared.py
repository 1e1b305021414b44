"""What the member's parts of one node share."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ringway.types import NodeName, NodeState

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from ringway.node.config.node import NodeConfig
    from ringway.node.connection.connection import Connection
    from ringway.node.connection.listener import Gate
    from ringway.node.connection.registry import ConnectionRegistry
    from ringway.node.sessions.target import SessionTargets
    from ringway.node.stats import Stats
    from ringway.ports import Engine


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
    roster: "ConnectionRegistry[Connection]"
    gate: "Gate"
    arrivals: "SessionTargets"
    connections_max: int
    state: NodeState = NodeState.ACTIVE

    @property
    def cool_down_s(self) -> float:
        """How long connections that were moved here stay: not at all while the node drains."""
        return 0.0 if self.state is NodeState.DRAINING else self.config.move_cool_down_s
