"""Environment of a node: what all of its parts are made with."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from ringway.node.config.node import NodeConfig
from ringway.node.stats import NodeStats
from ringway.ports import Engine
from ringway.protocol.ticket import TicketSigner
from ringway.types import Incarnation, NodeName


@dataclass(frozen=True, slots=True)
class NodeEnvironment:
    """Given to the constructors that put a node together. `clock` is monotonic and `wall` Unix time, in seconds."""

    config: NodeConfig
    name: NodeName
    incarnation: Incarnation
    engine: Engine
    signer: TicketSigner
    clock: Callable[[], float]
    wall: Callable[[], float]
    rng: Random
    stats: NodeStats = field(default_factory=NodeStats)
