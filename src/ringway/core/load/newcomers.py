"""Newcomers a second that a gateway may send to the nodes, from the handshakes that these report."""

from collections.abc import Iterable

from ringway.core.load.slow_start import RATE_SHARE
from ringway.core.load.view import NodeLoad


def newcomers_per_s(takers: Iterable[NodeLoad], gateways: int) -> float:
    """Return how many newcomers a second one of `gateways` gateways may send to `takers` together.

    0 means unknown: there are no takers, or a node does not report the handshakes that it can take.
    """
    total = 0.0
    for node in takers:
        if node.report is None or not node.report.accept_per_s:
            return 0.0
        total += node.report.accept_per_s
    return RATE_SHARE * total / gateways
