"""Warnings about groups that have members, and to which no route of this gateway leads: each group is named once."""

from ringway.gateway.placement.routing import Routing
from ringway.logger import get_logger

SHOWN_MAX = 3
"""The members that a warning names."""

_log = get_logger()


class UnreachedGroups:
    """The warnings of one gateway. Call `tick` now and then."""

    def __init__(self, routing: Routing) -> None:
        self._routing = routing
        self._told: set[str] = set()

    def tick(self) -> None:
        """Log each group that has become unreached; a group that was forgotten meanwhile is named anew."""
        unreached = {group.name: group for group in self._routing.unreached()}
        for name in sorted(unreached.keys() - self._told):
            members = sorted(unreached[name].view.nodes)
            more = [f"and {len(members) - SHOWN_MAX} more"] if len(members) > SHOWN_MAX else []
            _log.warning(
                "no route leads to a group, so its members get no clients here", group=name,
                members=", ".join([*members[:SHOWN_MAX], *more]),
                remedy=f"add a [[route]] with group = {name!r}, or correct the group of its members",
            )  # fmt: skip
        self._told = (self._told & self._routing.known_groups()) | unreached.keys()
