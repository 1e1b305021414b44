"""Weighted round robin: all nodes in turn, in proportion to their weights; a heavy node's turns are spread.

The turns are made as in `round_robin`: no node is ever a whole turn ahead or behind. With `fill`, a node that holds
less than its fair share gets more turns, and a node that holds more gets fewer: its weight is multiplied by
fair / held, from a third to three times. So not only arrivals are shared fairly, but connections as well.
"""

from typing import Annotated, ClassVar

import msgspec

from ringway.core.load import LoadView, NodeLoad
from ringway.core.load.slow_start import SHARE_MAX
from ringway.core.placement.policy import Options
from ringway.core.placement.round_robin import RoundRobin

FILL_PERIOD_S = 0.25
"""Period at which `fill` reads the load of nodes."""


class WeightedRoundRobinOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The option `fill`: turns depend on the nodes' connections."""

    fill: Annotated[bool, msgspec.Meta(description="give nodes more turns that hold less than their share")] = False


class WeightedRoundRobin(RoundRobin):
    """Places in turn, by weight."""

    name: ClassVar[str] = "weighted-round-robin"
    options_type: ClassVar[type[Options]] = WeightedRoundRobinOptions
    rule: ClassVar[str] = "the node whose turn it is, each as often as its weight says"

    def __init__(self, options: WeightedRoundRobinOptions | None = None, secret: bytes = b"") -> None:
        super().__init__()
        self._fill = (options or WeightedRoundRobinOptions()).fill
        self._filled_at = -1.0
        self._filled_version = -1

    def share_of(self, node: NodeLoad) -> float:
        """See `RoundRobin.share_of`."""
        return node.weight

    def refresh(self, view: LoadView) -> None:
        """See `RoundRobin.refresh`."""
        if not self._fill:
            return
        if view.version == self._filled_version and view.now < self._filled_at + FILL_PERIOD_S:
            return
        self._filled_version, self._filled_at = view.version, view.now
        fair = (view.total + len(view.eligible)) / view.weights if view.eligible else 0.0
        self.set_shares(
            [
                node.weight * min(SHARE_MAX, max(1.0 / SHARE_MAX, fair * node.weight / (node.load + 1)))
                for node in self._nodes
            ]
        )
