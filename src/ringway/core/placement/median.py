"""Median of a number over the nodes that report it: what is usual among them.

It replaces the number of a node that has not reported it yet. Nothing else is safe: with zero, an unknown node would
attract every client.
"""

from collections.abc import Callable

from ringway.core.load import LoadView, NodeLoad

PERIOD_S = 0.5
"""How often it is computed anew; reports come each second."""


class Median:
    """The median over the eligible nodes of what `read` returns; nodes for which it returns None do not count."""

    __slots__ = ("_due", "_read", "_value", "_version")

    def __init__(self, read: Callable[[NodeLoad], float | None]) -> None:
        self._read = read
        self._version = -1
        self._due = 0.0
        self._value = 0.0

    def of(self, view: LoadView) -> float:
        """Return it as of now, or a moment ago; 0 if no node has the number."""
        if view.version != self._version or view.now >= self._due:
            self._version = view.version
            self._due = view.now + PERIOD_S
            known = sorted(value for node in view.eligible if (value := self._read(node)) is not None)
            self._value = (known[(len(known) - 1) // 2] + known[len(known) // 2]) / 2 if known else 0.0
        return self._value
