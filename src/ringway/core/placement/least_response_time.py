"""Least response time: of a few nodes drawn by weight, the node that answers handshakes soonest (`core.load.response`).

    cost = max(average time, 1 ms) · (1 + handshakes under way / weight)

Weight counts in the draw already; if the time were divided by it as well, it would count twice. Nodes whose costs are
within `SAME_WITHIN` of each other count as equal and are compared by connections, so nodes that are equally quick are
filled by their weights.

Handshakes and probes are timed, never connections, and handshakes are counted, not open connections: so clients do not
make a node appear slow. On the other hand idle connections do not make it slow either, so by time alone the quickest
node would hold all clients. Therefore a node that is more than `GUARD` times as full as the average is left out, unless
all drawn nodes are. A node without any measurement counts as the median of the other nodes.
"""

from typing import TYPE_CHECKING, Annotated, ClassVar

import msgspec

from ringway.core.load import LoadView, NodeLoad
from ringway.core.placement.draw import Draw
from ringway.core.placement.median import Median
from ringway.core.placement.policy import Options, Pick, last_resort, with_alternates
from ringway.core.placement.turn import best_of_alike

if TYPE_CHECKING:
    from random import Random

GUARD = 1.25
SAME_WITHIN = 0.05


class LeastResponseTimeOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The number of nodes that are drawn."""

    d: Annotated[int, msgspec.Meta(ge=2, le=5, description="nodes drawn; more follow single measurements more")] = 2


class LeastResponseTime:
    """Places at the node that answers fastest, corrected for its load."""

    name: ClassVar[str] = "least-response-time"
    options_type: ClassVar[type[Options]] = LeastResponseTimeOptions
    measure: ClassVar[str] = "seconds to answer · (1 + handshakes under way / weight)"
    table = ""

    def __init__(self, options: LeastResponseTimeOptions | None = None, secret: bytes = b"") -> None:
        self._d = (options or LeastResponseTimeOptions()).d
        self._draw = Draw()
        self._usual = Median(lambda node: node.response.seen_s)

    @property
    def rule(self) -> str:
        """See `Policy.rule`."""
        return (
            f"of {self._d} nodes drawn by weight the quickest to answer; "
            f"none that is more than {GUARD:g} times as full as the average"
        )

    def pick(self, view: LoadView, key: bytes | None, rng: "Random", count: int) -> Pick:
        """See `Policy.pick`."""
        most = GUARD * view.total / view.weights if view.weights else 0.0
        drawn = self._draw.draw(view, self._d, rng, lambda node: node.load <= most * node.weight)
        drawn = drawn or self._draw.draw(view, self._d, rng)
        if not drawn:
            return last_resort(view, count)
        best = best_of_alike(drawn, [self.value(view, node) for node in drawn], SAME_WITHIN)
        drawn[0], drawn[best] = drawn[best], drawn[0]
        return Pick(with_alternates(view, drawn, count, rng), drawn)

    def value(self, view: LoadView, node: NodeLoad) -> float:
        """See `Policy.value`."""
        mean_s = node.response.mean_s(self._usual.of(view), view.now)
        return mean_s * (1.0 + node.response.opening / node.weight)
