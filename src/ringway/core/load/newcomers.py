"""Newcomers a second that a gateway may send to the nodes, from the handshake rates that the nodes report."""

from collections.abc import Iterable

from ringway.core.load.node import NodeLoad
from ringway.core.load.slow_start import RATE_SHARE


def newcomers_per_s(takers: Iterable[NodeLoad], gateways: int) -> float:
    """Return the newcomers a second that one of `gateways` gateways may send to all `takers` together.

    0 means unknown: there are no takers, or a node does not report its handshake rate.
    """
    total = 0.0
    for node in takers:
        if node.report is None or not node.report.accept_per_s:
            return 0.0
        total += node.report.accept_per_s
    return RATE_SHARE * total / gateways
