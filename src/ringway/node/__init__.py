"""The channel node: a server that holds client connections and speaks the Centrifuge client protocol."""

from ringway.node.config.node import NodeConfig
from ringway.node.server import ChannelNode
from ringway.node.stats import NodeStats

__all__ = ["ChannelNode", "NodeConfig", "NodeStats"]
