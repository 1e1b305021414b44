"""Settings of a channel node."""

from ringway.node.config.node import NodeConfig

__all__ = ["NodeConfig"]
