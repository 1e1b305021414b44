"""Stabilisation: the time since the last change of members. They come and go in groups, and half a group misleads.

Only lasting changes of shares count: the set of nodes, their state and the weights that they report. The slow weight
loop (trims) does not count: the balancer would wait for ever.
"""

from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

from ringway.core.load import LoadView
from ringway.types import Incarnation, NodeName, NodeState

NAMED_MAX = 3
"""So many nodes are named in the words about a change; more are counted."""

TOLD_MAX = 4
"""So many changes are remembered in words."""


class _Member(NamedTuple):
    incarnation: Incarnation
    state: NodeState
    weight: float


class Stabilisation:
    """Call `observe` about once a second, also while a different gateway leads: a new leader need not wait anew."""

    def __init__(self) -> None:
        self.changes = 0
        self._members: dict[NodeName, _Member] | None = None
        self._version = -1
        self._changed_at = 0.0
        self._told: deque[tuple[int, str]] = deque(maxlen=TOLD_MAX)  # the newest changes: number, and words

    def observe(self, view: LoadView, now: float) -> None:
        """Record the nodes of `view`, which is always the same view, with their states and their weights."""
        if view.members_version == self._version:
            return
        self._version = view.members_version
        nodes = view.nodes.values()
        members = {node.name: _Member(node.incarnation, node.state, node.weight_own) for node in nodes}
        if members != self._members:
            before, self._members = self._members or {}, members
            self._changed_at = now
            self.changes += 1
            self._told.append((self.changes, _words(before, members)))

    def waited_s(self, now: float) -> float:
        """The seconds since the last change."""
        return now - self._changed_at

    def changes_since(self, changes: int) -> str:
        """Return in words what has changed since there were so many `changes`; the oldest may be left out."""
        return ", ".join(words for number, words in self._told if number > changes)


def _words(before: Mapping[NodeName, _Member], now: Mapping[NodeName, _Member]) -> str:
    """Return what has changed: `node-3 left`."""
    found: dict[str, list[NodeName]] = {}
    for name in sorted({*before, *now}):
        if before.get(name) != now.get(name):
            found.setdefault(_change_of(before.get(name), now.get(name)), []).append(name)
    return ", ".join(f"{_named(names)} {what}" for what, names in found.items())


def _change_of(before: _Member | None, now: _Member | None) -> str:
    if now is None:
        return "left"
    if before is None:
        return "joined"
    if before.incarnation != now.incarnation:
        return "restarted"
    if before.state is not now.state:
        return f"changed to {now.state}"
    return "changed weight"


def _named(names: list[NodeName]) -> str:
    return " and ".join(names) if len(names) <= NAMED_MAX else f"{len(names):,} nodes"
