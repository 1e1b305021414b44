"""Score of your own: of a few nodes drawn by weight, or of all, the node for which your function returns the least.

The function is given the same `NodeLoad` and `LoadView` that every policy sees, and returns a number. It is named as
`package.module:function`, or as an entry point of the group `ringway.policies`. It is called while a client is placed:
it must not wait for anything.

If the function fails, or returns no finite number, the client is placed all the same: that node comes after the nodes
with a score, and among such nodes the least full is chosen. `failures` counts failures, and `failure` is the last one.
"""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.metadata import entry_points
from math import inf, isfinite
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import msgspec

from ringway.core.load import LoadView, NodeLoad
from ringway.core.placement.draw import Draw
from ringway.core.placement.policy import Options, Pick, last_resort, with_alternates
from ringway.core.placement.turn import best_of
from ringway.errors import ConfigError

if TYPE_CHECKING:
    from random import Random

GROUP = "ringway.policies"

ScoreFunction = Callable[[NodeLoad, LoadView], float]


class ScoreOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which function, and of how many nodes."""

    call: Annotated[str, msgspec.Meta(description="package.module:function, or the name of an entry point")] = ""
    d: Annotated[int, msgspec.Meta(ge=0, le=5, description="nodes drawn and compared; 0: all of them")] = 2


class Score:
    """Places at the node with the best score. Raise `ConfigError` if the function cannot be found."""

    name: ClassVar[str] = "score"
    options_type: ClassVar[type[Options]] = ScoreOptions
    table = ""

    def __init__(self, options: ScoreOptions, secret: bytes = b"") -> None:
        self.failures = 0
        self.failure = ""
        self._function = load_function(options.call)
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
        """See `Policy.pick`. Looking at all nodes calls the function for each."""
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
        except Exception as error:  # it is not ours, and clients wait to be placed
            return self._failed(node, f"{type(error).__name__}: {error}")
        return value if isfinite(value) else self._failed(node, f"it returned {value}")

    def _failed(self, node: NodeLoad, why: str) -> float:
        self.failures += 1
        self.failure = f"{self._call} failed for {node.name}: {why}"
        return inf


def load_function(call: str) -> ScoreFunction:
    """Return the function that `call` names; raise `ConfigError` that says why it cannot be found."""
    if not call:
        raise ConfigError("the policy score needs its function: score:call=package.module:function")
    module, colon, name = call.partition(":")
    if colon:
        found = _loaded(call, partial(_attribute, module, name))
    else:
        points = entry_points(group=GROUP)
        if call not in points.names:
            known = f"those there are: {', '.join(sorted(points.names))}" if points.names else "there is none"
            raise ConfigError(
                f"the score {call!r} is no entry point of the group {GROUP} ({known}); "
                "name one, or a function as package.module:function"
            )
        found = _loaded(call, points[call].load)
    if not callable(found):
        raise ConfigError(
            f"the score {call!r} is {type(found).__name__}, not a function; name one that takes (node, view)"
        )
    function: ScoreFunction = found
    return function


def _attribute(module: str, name: str) -> Any:
    found: Any = import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _loaded(call: str, load: Callable[[], Any]) -> Any:
    try:
        return load()
    except Exception as error:  # a foreign module may raise anything when it is imported
        raise ConfigError(
            f"the score {call!r} cannot be loaded: {type(error).__name__}: {error}; "
            "write it as package.module:function, and install its package where the gateway runs"
        ) from error
