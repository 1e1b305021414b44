"""Score by a user's function: of a few nodes drawn by weight, or of all, the node with the smallest result.

The function is called with the same `NodeLoad` and `LoadView` that every policy reads, and returns a number. It is
called while a client is placed, so it must not block. `app.score_function` finds it by its name.

If the function fails, or returns no finite number, the client is placed nevertheless: that node comes after the nodes
with a score, and among such nodes the least full is chosen. `failures` counts failures, and `failure` is the last
failure.
"""

from collections.abc import Callable
from math import inf, isfinite
from typing import TYPE_CHECKING, Annotated, ClassVar

import msgspec

from ringway.core.load import LoadView, NodeLoad
from ringway.core.placement.draw import Draw
from ringway.core.placement.policy import Options, Pick, last_resort, with_alternates
from ringway.core.placement.turn import best_of
from ringway.errors import ConfigError

if TYPE_CHECKING:
    from random import Random

ScoreFunction = Callable[[NodeLoad, LoadView], float]

FindFunction = Callable[[str], ScoreFunction]
"""Returns the function that has this name. Raises `ConfigError` if no function has it."""


class ScoreOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The function, and the number of nodes that it compares."""

    call: Annotated[str, msgspec.Meta(description="package.module:function, or the name of an entry point")] = ""
    d: Annotated[int, msgspec.Meta(ge=0, le=5, description="nodes drawn and compared; 0: all of them")] = 2


class Score:
    """Places at the node with the best score. Raise `ConfigError` if `find_function` finds no function."""

    name: ClassVar[str] = "score"
    options_type: ClassVar[type[Options]] = ScoreOptions
    table = ""

    def __init__(self, options: ScoreOptions, find_function: FindFunction) -> None:
        if not options.call:
            raise ConfigError("the policy score needs its function: score:call=package.module:function")
        self.failures = 0
        self.failure = ""
        self._function = find_function(options.call)
        self._call = options.call
        self._d = options.d
        self._draw = Draw()

    @property
    def rule(self) -> str:
        """See `Policy.rule`."""
        among = f"of {self._d} nodes drawn by weight" if self._d else "of all nodes"
        return f"{among} the one with the least score"

    @property
    def measure(self) -> str:
        """See `Policy.measure`."""
        return f"what {self._call} returns"

    def pick(self, view: LoadView, key: bytes | None, rng: "Random", count: int) -> Pick:
        """See `Policy.pick`. Comparing all nodes calls the function for each node."""
        drawn = self._draw.draw(view, self._d, rng) if self._d else [node for node in view.eligible if node.ready]
        if not drawn:
            return last_resort(view, count)
        values = [self.value(view, node) for node in drawn]
        if min(values) == inf:
            values = [node.full for node in drawn]
        best = best_of(drawn, values)
        return Pick(with_alternates(view, [drawn[best]], count, rng), drawn)

    def value(self, view: LoadView, node: NodeLoad) -> float:
        """See `Policy.value`. Infinity if the function fails."""
        try:
            value = float(self._function(node, view))
        except Exception as error:  # the function is a user's, and clients wait to be placed
            return self._failed(node, f"{type(error).__name__}: {error}")
        return value if isfinite(value) else self._failed(node, f"it returned {value}")

    def _failed(self, node: NodeLoad, why: str) -> float:
        self.failures += 1
        self.failure = f"{self._call} failed for {node.name}: {why}"
        return inf


def refuse_function(call: str) -> ScoreFunction:
    """Raise `ConfigError` for `call`: the default finder, for a core without a finder of functions."""
    raise ConfigError(
        f"the score {call!r} cannot be found: nothing loads functions here; choose a policy that calls none"
    )
