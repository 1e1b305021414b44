"""Least connected: the node that is least full for its weight, by effective load.

Exact, and therefore the policy that suffers most from late reports: the places that gateways hold make it safe (see
`core.reservation`). Ties are broken at random, never by list order.
"""

from math import inf
from typing import TYPE_CHECKING, ClassVar

from ringway.core.load import LoadView, NodeLoad
from ringway.core.placement.policy import Options, Pick, alternates, last_resort

if TYPE_CHECKING:
    from random import Random


class LeastConnected:
    """See the module."""

    name: ClassVar[str] = "least-connected"
    options_type: ClassVar[type[Options]] = Options
    rule: ClassVar[str] = "the node that is least full for its weight"
    measure: ClassVar[str] = "(load + 1) / weight"
    table = ""

    def __init__(self, options: Options | None = None, secret: bytes = b"") -> None:
        pass

    def pick(self, view: LoadView, key: bytes | None, rng: "Random", count: int) -> Pick:
        """See `Policy.pick`. Looks at all nodes: some microseconds for a hundred."""
        nodes = view.eligible
        least, ties, best = inf, 0, None
        for node in nodes:
            full = node.full
            if full < least:
                least, ties, best = full, 1, node
            elif full == least and best is not None:
                ties += 1
                if rng.random() * ties < 1.0:
                    best = node
        if best is None:
            return last_resort(view, count)
        return Pick([best, *alternates(nodes, best, count - 1, rng)], nodes)

    def value(self, view: LoadView, node: NodeLoad) -> float:
        """See `Policy.value`."""
        return node.full
