"""Random two choices: draw two distinct nodes by weight, take the less loaded one. The default.

Two choices bring the fullest of n nodes from log n / log log n to log log n above the average (Mitzenmacher 2001), and
stay good when load reports are late. Drawing by weight without replacement lets weights above 2/n count as well.
"""

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, ClassVar

from ringway.core.load import LoadView, NodeLoad
from ringway.core.placement.policy import Options, Pick, last_resort

if TYPE_CHECKING:
    from random import Random


class TwoChoices:
    """See the module."""

    name: ClassVar[str] = "two-choices"
    options_type: ClassVar[type[Options]] = Options
    rule: ClassVar[str] = "of two nodes, drawn by weight, the one that is less full for its weight"
    measure: ClassVar[str] = "(load + 1) / weight"
    table = ""

    def __init__(self, options: Options | None = None, secret: bytes = b"") -> None:
        self._version = -1
        self._cumulated: list[float] = []

    def pick(self, view: LoadView, key: bytes | None, rng: "Random", count: int) -> Pick:
        """See `Policy.pick`. The second is the loser of the draw, the third a further random one."""
        nodes = view.eligible
        if not nodes:
            return last_resort(view, count)
        if view.version != self._version:
            self._cumulated = list(accumulate(node.weight for node in nodes))
            self._version = view.version
        drawn = self._draw(len(nodes), min(max(count, 2), len(nodes)), rng)
        pair = [nodes[index] for index in drawn[:2]]
        if len(pair) == 2 and pair[1].full < pair[0].full:
            pair.reverse()
        if not pair[0].ready:
            open_ = [node for node in nodes if node.ready]
            if not open_:
                return last_resort(view, count)
            return Pick(sorted(open_, key=self._full)[:count], open_)
        return Pick((pair + [nodes[index] for index in drawn[2:]])[:count], pair)

    @staticmethod
    def _full(node: NodeLoad) -> float:
        return node.full

    def value(self, view: LoadView, node: NodeLoad) -> float:
        """See `Policy.value`."""
        return node.full

    def _draw(self, size: int, count: int, rng: "Random") -> list[int]:
        """Draw `count` distinct indices by weight: repeat what was drawn, then scan when that grows unlikely."""
        total = self._cumulated[-1]
        drawn: list[int] = []
        for _ in range(8 * count):
            index = min(bisect_right(self._cumulated, rng.random() * total), size - 1)
            if index not in drawn:
                drawn.append(index)
                if len(drawn) == count:
                    return drawn
        while len(drawn) < count:
            drawn.append(self._draw_rest(drawn, size, rng))
        return drawn

    def _draw_rest(self, drawn: list[int], size: int, rng: "Random") -> int:
        rest = [index for index in range(size) if index not in drawn]
        weights = [self._cumulated[i] - (self._cumulated[i - 1] if i else 0.0) for i in rest]
        return rng.choices(rest, weights)[0]
