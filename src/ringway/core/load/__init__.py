"""Load of nodes, and who may be given more; begin reading at `view`."""

from ringway.core.load.view import LoadView, NodeLoad

__all__ = ["LoadView", "NodeLoad"]
