"""Least loaded: of a few nodes drawn by weight, the node whose scarcest resource is least used (`usage`).

Reports are late, and CPU lags behind connections. If the least used of all nodes were chosen, every gateway would
choose it until the next report. So the best of `d` nodes is chosen; and nodes within `SAME_WITHIN` of each other count
as equal and are compared by connections.
"""

from typing import TYPE_CHECKING, Annotated, ClassVar

import msgspec

from ringway.core.load import LoadView, NodeLoad
from ringway.core.placement.draw import Draw
from ringway.core.placement.policy import Options, Pick, last_resort, with_alternates
from ringway.core.placement.turn import best_of_alike
from ringway.core.placement.usage import Usages

if TYPE_CHECKING:
    from random import Random

SAME_WITHIN = 0.05


class LeastLoadedOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The number of nodes that are drawn."""

    d: Annotated[int, msgspec.Meta(ge=2, le=5, description="nodes drawn; more follow late reports more")] = 2


class LeastLoaded:
    """Places at the node that is used least."""

    name: ClassVar[str] = "least-loaded"
    options_type: ClassVar[type[Options]] = LeastLoadedOptions
    measure: ClassVar[str] = "the worst utilisation, with what is on the way to the node"
    table = ""

    def __init__(self, options: LeastLoadedOptions | None = None, secret: bytes = b"") -> None:
        self._d = (options or LeastLoadedOptions()).d
        self._draw = Draw()
        self._usages = Usages()

    @property
    def rule(self) -> str:
        """See `Policy.rule`."""
        return f"of {self._d} nodes drawn by weight the least used; within {SAME_WITHIN:.0%} the least full"

    def pick(self, view: LoadView, key: bytes | None, rng: "Random", count: int) -> Pick:
        """See `Policy.pick`."""
        drawn = self._draw.draw(view, self._d, rng)
        if not drawn:
            return last_resort(view, count)
        best = best_of_alike(drawn, [self._usages.expected(view, node) for node in drawn], SAME_WITHIN)
        drawn[0], drawn[best] = drawn[best], drawn[0]
        return Pick(with_alternates(view, drawn, count, rng), drawn)

    def value(self, view: LoadView, node: NodeLoad) -> float:
        """See `Policy.value`."""
        return self._usages.expected(view, node)
