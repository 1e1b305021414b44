"""Reconnect window: the time over which the clients of a dead node should return, so that they flood no node.

    W = 1.2 c / (rho (C - C_i) - lambda)        within 1 s and 300 s

`c` is the connections of the node, `C - C_i` the handshakes a second that the other nodes can take, `rho` the part of
them that may be used, `lambda` the clients that come by themselves. A client that draws its return from `U(0, W)` helps
the other nodes to stay below that part: c clients then come at c/W a second, with a sixth to spare for chance.

A client uses the window when its connection ends, which may be hours later. So `lambda` is that of the last minute
(`arrival.STEADY_S`), and counts for half of that part at most: a present flood, such as the return of a dead node's
clients, is over by then. Otherwise the clients of the flood would be given the longest window, only because they come.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ringway.core.balance.arrival import Arrivals
from ringway.core.load import NodeLoad
from ringway.types import NodeState

SPARE = 1.2
WINDOW_MIN_S = 1.0
WINDOW_MAX_S = 300.0

ARRIVING_SHARE_MAX = 0.5
"""The largest part of the usable handshakes that is left to clients that come by themselves."""


@dataclass(frozen=True, slots=True)
class Host:
    """One node: its connections, the handshakes a second that it can take, and the clients that come by themselves."""

    connections: int
    accept_per_s: float
    arrivals_per_s: float = 0.0


def hosts_of(nodes: Iterable[NodeLoad], arrivals: Arrivals) -> list[Host]:
    """Return the nodes as hosts; a node that takes no clients (it drains, or has weight 0) has a rate of 0."""
    return [
        Host(
            node.connections,
            node.report.accept_per_s if node.state is NodeState.ACTIVE and node.weight > 0 else 0.0,
            arrivals.per_s(node.name),
        )
        for node in nodes
        if node.report is not None
    ]


def reconnect_window_s(hosts: Sequence[Host], rho: float) -> float:
    """Return the longest window that the death of any one of `hosts` needs.

    Nodes that do not report their rate are left out. If no other node takes clients, a node has to take its own back.
    """
    accepting = sum(host.accept_per_s for host in hosts)
    arriving = sum(host.arrivals_per_s for host in hosts)
    return max((_window_s(lost, accepting, arriving, rho) for lost in hosts), default=WINDOW_MIN_S)


def _window_s(lost: Host, accepting: float, arriving: float, rho: float) -> float:
    if lost.connections == 0:
        return WINDOW_MIN_S
    usable = rho * ((accepting - lost.accept_per_s) or accepting)
    if usable <= 0:
        return WINDOW_MAX_S
    free = usable - min(arriving, ARRIVING_SHARE_MAX * usable)
    return min(WINDOW_MAX_S, max(WINDOW_MIN_S, SPARE * lost.connections / free))
