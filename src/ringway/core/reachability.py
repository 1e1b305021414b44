"""Reachability of a node's URL: the gateways that could not open it lately, and why (PROTOCOL.md P-9.2.1)."""

from collections.abc import Collection
from typing import NamedTuple

from ringway.core.recent import Recent
from ringway.types import NodeName

KEEP_S = 30.0
"""A gateway repeats its notice more often, so a problem is over when the last notice is older."""

GATEWAYS_MAX = 256
WHY_LENGTH_MAX = 500


class _Notice(NamedTuple):
    why: str
    at: float


class Reachability:
    """The reports of gateways about the URL of one node. `now` is monotonic, in seconds."""

    def __init__(self) -> None:
        self._notices: Recent[NodeName, _Notice] = Recent(GATEWAYS_MAX)

    def on_unreached(self, gateway: NodeName, why: str, now: float) -> bool:
        """Record that `gateway` could not open the URL; return True if that is to be logged."""
        before = self._notices.pop(gateway)
        self._notices.add(gateway, _Notice(why[:WHY_LENGTH_MAX], now))
        return before is None or before.at + KEEP_S <= now

    def problem(self, gateways: Collection[NodeName], now: float) -> str:
        """Return the problem, with the remedy; empty if there is no problem. `gateways` are the living gateways."""
        found = {name: self._notices.get(name) for name in sorted(gateways)}
        present = {name: each for name, each in found.items() if each is not None and each.at + KEEP_S > now}
        if not present:
            return ""
        who = "no gateway could" if len(present) == len(found) else f"{len(present)} of {len(found)} gateways could not"
        reasons = dict.fromkeys(each.why for each in present.values())
        return f"{who} open this node, so it gets no clients there: {'; '.join(reasons)}"
