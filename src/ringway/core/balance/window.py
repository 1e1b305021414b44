"""Reconnect window: the time over which the clients of a dead node should return, so that they flood no node.

    W = 1.2 c / (rho (C - C_i) - lambda)        within 1 s and 300 s

`c` is the connections of the node, `C - C_i` the handshakes a second that the other nodes can serve, `rho` the part of
them that may be used, `lambda` the clients that come by themselves. If clients draw their return from `U(0, W)`, the
other nodes stay below that part: c clients then come at c/W a second, with a reserve of a sixth for chance.

A client uses the window when its connection ends, which may be hours later. So `lambda` is that of the last minute
(`core.load.arrival`), and counts for half of that part at most: a present flood, such as the return of a dead node's
clients, is over by then. Otherwise the clients of the flood would be given the longest window, only because they come.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ringway.core.load import NodeLoad
from ringway.core.load.arrival import Arrivals
from ringway.types import NodeState

SPARE = 1.2
WINDOW_MIN_S = 1.0
WINDOW_MAX_S = 300.0

ARRIVING_SHARE_MAX = 0.5
"""The largest part of the usable handshakes that is left to clients that come by themselves."""


class Host(NamedTuple):
    """One node: its connections, the handshakes a second that it can serve, and clients that come by themselves."""

    connections: int
    accept_per_s: float
    arrivals_per_s: float = 0.0


def reconnect_window_s(hosts: Sequence[Host], rho: float) -> float:
    """Return the longest window that the death of any one of `hosts` needs.

    Nodes that do not report their rate are left out. If no other node accepts clients, a node serves its own again.
    """
    accepting = sum(host.accept_per_s for host in hosts)
    most: dict[float, int] = {}
    for connections, accept_per_s, _ in hosts:
        if connections > most.get(accept_per_s, 0):
            most[accept_per_s] = connections
    return _longest_s(most, accepting, sum(host.arrivals_per_s for host in hosts), rho)


def window_of(nodes: Iterable[NodeLoad], arrivals: Arrivals, rho: float) -> float:
    """Return the window for nodes; a node that accepts no clients (it drains, or has weight 0) has a rate of 0."""
    accepting = 0.0
    most: dict[float, int] = {}
    for node in nodes:
        report = node.report
        if report is not None:
            accept_per_s = report.accept_per_s if node.state is NodeState.ACTIVE and node.weight > 0 else 0.0
            accepting += accept_per_s
            if node.connections > most.get(accept_per_s, 0):
                most[accept_per_s] = node.connections
    return _longest_s(most, accepting, arrivals.steady_sum, rho)


def _longest_s(most: Mapping[float, int], accepting: float, arriving: float, rho: float) -> float:
    """Return the longest window; `most` is the connections of the fullest node of each rate, which needs the longest.

    If no other node accepts clients, a node serves its own again.
    """
    windows = (
        _window_s(count, accepting - accept_per_s or accepting, arriving, rho) for accept_per_s, count in most.items()
    )
    return max(windows, default=WINDOW_MIN_S)


def _window_s(connections: int, accepting: float, arriving: float, rho: float) -> float:
    usable = rho * accepting
    if usable <= 0:
        return WINDOW_MAX_S
    free = usable - min(arriving, ARRIVING_SHARE_MAX * usable)
    return min(WINDOW_MAX_S, max(WINDOW_MIN_S, SPARE * connections / free))
