"""Least connected: the node that is least full for its weight, by effective load.

Exact, and therefore the policy that suffers most from late reports: the places that gateways hold make it safe (see
`core.reservation`). Ties are broken at random, never by list order.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from ringway.core.load import LoadView, NodeLoad
from ringway.core.placement.policy import alternates, need_eligible

if TYPE_CHECKING:
    from random import Random


class LeastConnected:
    """See the module."""

    name: ClassVar[str] = "least-connected"
    keyed: ClassVar[bool] = False

    def rank(self, view: LoadView, key: bytes | None, rng: "Random", count: int) -> Sequence[NodeLoad]:
        """See `Policy.rank`. Looks at all nodes: some microseconds for a hundred."""
        nodes = need_eligible(view)
        full = [node.full for node in nodes]
        least = min(full)
        index = full.index(least)
        ties = full.count(least)
        if ties > 1:
            for _ in range(int(rng.random() * ties)):
                index = full.index(least, index + 1)
        best = nodes[index]
        return [best, *alternates(nodes, best, count - 1, rng)]
