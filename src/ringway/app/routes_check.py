"""Check of a gateway's routes against its other settings: their policies, and the groups that they lead to."""

from collections.abc import Iterator, Sequence
from contextlib import suppress

from ringway.app.score_function import load_score_function
from ringway.core.route import GroupRoute
from ringway.core.route_spec import read_route
from ringway.core.steering import Steering
from ringway.errors import ConfigError
from ringway.protocol.group import DEFAULT
from ringway.sources.registry import is_registry


def route_problems(specs: Sequence[str], groups: Sequence[str] | None) -> list[str]:
    """Return what is wrong with the routes `specs`, in sentences. `groups` are all possible groups; None: unknown."""
    problems: list[str] = []
    for route in readable_routes(specs):
        if route.policy:
            try:
                Steering(route.policy, b"", load_score_function)
            except ConfigError as error:
                problems += (f"the route {route}: {problem}" for problem in error.problems)
        if groups is not None and route.group not in groups:
            problems.append(
                f"the route {route} leads to the group {route.group!r}, and the backends are in {', '.join(groups)}; "
                f"correct the route, or put a backend there: --backend URL,group={route.group}"
            )
    return problems


def readable_routes(specs: Sequence[str]) -> Iterator[GroupRoute]:
    """Yield the routes that can be read; the settings of the gateway refuse the others."""
    for spec in specs:
        with suppress(ConfigError):
            yield read_route(spec)


def groups_of_specs(backends: Sequence[str]) -> list[str] | None:
    """Return the groups of the backends in these specs, in order; None if a registry names some of them."""
    if not backends or any(map(is_registry, backends)):
        return None
    given = (dict(item.partition("=")[::2] for item in spec.split(",")[1:]) for spec in backends)
    return sorted({options.get("group") or DEFAULT for options in given})
