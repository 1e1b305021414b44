"""Load of nodes, and the nodes that may get newcomers; begin reading at `view`."""

from ringway.core.load.node import NodeLoad
from ringway.core.load.view import LoadView

__all__ = ["LoadView", "NodeLoad"]
