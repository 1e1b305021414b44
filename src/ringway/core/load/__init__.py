"""What each node holds, and who may be given more: begin at `view`."""

from ringway.core.load.view import LoadView, NodeLoad

__all__ = ["LoadView", "NodeLoad"]
