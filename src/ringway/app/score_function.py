"""Functions of operators for the policy `score`, loaded by their name.

A name is `package.module:function`, or an entry point of the group `ringway.policies`. The composition loads
foreign code, and gives the function to the core.
"""

from collections.abc import Callable
from functools import partial
from importlib.metadata import entry_points
from typing import Any

from ringway.app.named_object import object_at
from ringway.core.placement.score import ScoreFunction
from ringway.errors import ConfigError

GROUP = "ringway.policies"


def load_score_function(call: str) -> ScoreFunction:
    """Return the function that `call` names; raise `ConfigError` with the reason if it cannot be found."""
    if ":" in call:
        found = _loaded(call, partial(object_at, call))
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


def _loaded(call: str, load: Callable[[], Any]) -> Any:
    try:
        return load()
    except Exception as error:  # a foreign module may raise anything when it is imported
        raise ConfigError(
            f"the score {call!r} cannot be loaded: {type(error).__name__}: {error}; "
            "write it as package.module:function, and install its package where the gateway runs"
        ) from error
