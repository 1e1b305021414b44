"""Random two choices: draw two distinct nodes by weight, choose the less loaded node. The default.

Two choices bring the fullest of n nodes from log n / log log n to log log n above the average (Mitzenmacher 2001), and
stay good when load reports are late. With more than two choices (`d`) all gateways choose the emptiest node more often.
"""

from typing import TYPE_CHECKING, Annotated, ClassVar

import msgspec

from ringway.core.load import LoadView, NodeLoad
from ringway.core.placement.draw import Draw
from ringway.core.placement.policy import Options, Pick, last_resort, with_alternates
from ringway.core.placement.turn import best_of

if TYPE_CHECKING:
    from random import Random


class TwoChoicesOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The number of nodes that are drawn."""

    d: Annotated[int, msgspec.Meta(ge=2, le=5, description="nodes drawn; more than 2 gains little")] = 2


class TwoChoices:
    """Places at the less loaded of two drawn nodes."""

    name: ClassVar[str] = "two-choices"
    options_type: ClassVar[type[Options]] = TwoChoicesOptions
    measure: ClassVar[str] = "(load + 1) / weight"
    table = ""

    def __init__(self, options: TwoChoicesOptions | None = None, secret: bytes = b"") -> None:
        self._d = (options or TwoChoicesOptions()).d
        self._draw = Draw()

    @property
    def rule(self) -> str:
        """See `Policy.rule`."""
        return f"of {self._d} nodes drawn by weight the one that is least full for its weight"

    def pick(self, view: LoadView, key: bytes | None, rng: "Random", count: int) -> Pick:
        """See `Policy.pick`. The first alternate is a drawn node that was not chosen."""
        drawn = self._draw.draw(view, self._d, rng)
        if not drawn:
            return last_resort(view, count)
        best = best_of(drawn, [node.full for node in drawn])
        drawn[0], drawn[best] = drawn[best], drawn[0]
        return Pick(with_alternates(view, drawn, count, rng), drawn)

    def value(self, view: LoadView, node: NodeLoad) -> float:
        """See `Policy.value`."""
        return node.full
