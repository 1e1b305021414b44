"""Context of commands: the parts of its node that a command may use, beside the connection that sent it."""

from dataclasses import dataclass
from random import Random

from ringway.node.channels.channels import Channels
from ringway.node.config.node import NodeConfig
from ringway.node.stats import NodeStats
from ringway.types import NodeName


@dataclass(frozen=True, slots=True)
class CommandContext:
    """The context of one node, shared by all of its connections."""

    name: NodeName
    version: str
    config: NodeConfig
    channels: Channels
    stats: NodeStats
    rng: Random
