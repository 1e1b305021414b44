"""Context of commands: what a command may use of its node, beside the connection that sent it."""

from dataclasses import dataclass
from random import Random

from ringway.node.channels.channels import Channels
from ringway.node.config.node import NodeConfig
from ringway.node.stats import NodeStats
from ringway.types import NodeName


@dataclass(frozen=True, slots=True)
class CommandContext:
    """One a node, for all of its connections."""

    name: NodeName
    version: str
    config: NodeConfig
    channels: Channels
    stats: NodeStats
    rng: Random
