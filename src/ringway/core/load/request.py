"""Plain requests as load: a request that is under way counts at its node, for the gateway that carries it."""

from ringway.core.load.node import NodeLoad
from ringway.core.load.view import LoadView


def begin_request(view: LoadView, node: NodeLoad) -> None:
    """Count a request that begins at `node`. It takes the node's turn; no share of newcomers, because it keeps none."""
    node.requests += 1
    if node.weight > 0:
        view.count_turn(node)
    if view.nodes.get(node.name) is node:
        view.refresh(node)


def end_request(view: LoadView, node: NodeLoad) -> None:
    """Count the end of a request at `node`, which may have left meanwhile."""
    node.requests -= 1
    if view.nodes.get(node.name) is node:
        view.refresh(node)
