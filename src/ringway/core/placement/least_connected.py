"""Least connected: the node that is least full for its weight, by effective load.

Exact, and therefore the policy that suffers most from late reports: the places that gateways hold make it safe (see
`core.reservation`). Ties are broken at random, never by list order.
"""

from collections.abc import Sequence
from heapq import nsmallest
from typing import TYPE_CHECKING, ClassVar

from ringway.core.load import LoadView, NodeLoad
from ringway.core.placement.policy import fuller, need_eligible

if TYPE_CHECKING:
    from random import Random


class LeastConnected:
    """See the module."""

    name: ClassVar[str] = "least-connected"
    keyed: ClassVar[bool] = False

    def rank(self, view: LoadView, key: bytes | None, rng: "Random", count: int) -> Sequence[NodeLoad]:
        """See `Policy.rank`. Scans all nodes: some microseconds for a hundred."""
        nodes = need_eligible(view)
        if count > 1:
            return nsmallest(count, nodes, key=lambda node: (fuller(node), rng.random()))
        least = float("inf")
        best = nodes[0]
        ties = 1
        for node in nodes:
            full = (node.load + 1) / node.weight
            if full < least:
                least = full
                best = node
                ties = 1
            elif full == least:  # reservoir sampling: each of n ties is taken with chance 1/n
                ties += 1
                if rng.random() * ties < 1.0:
                    best = node
        return (best,)
