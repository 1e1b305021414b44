"""Median of a number over the nodes that report it.

It replaces the number of a node that has not reported it yet. Zero would be unsafe: an unknown node would attract every
client.
"""

from collections.abc import Callable

from ringway.core.load import LoadView, NodeLoad

PERIOD_S = 0.5
"""The period of its computation; reports come each second."""


class Median:
    """The median of `read` over the eligible nodes; nodes for which `read` returns None do not count."""

    __slots__ = ("_due", "_read", "_value", "_version")

    def __init__(self, read: Callable[[NodeLoad], float | None]) -> None:
        self._read = read
        self._version = -1
        self._due = 0.0
        self._value = 0.0

    def of(self, view: LoadView) -> float:
        """Return the median, at most `PERIOD_S` old; 0 if no node has the number."""
        if view.version != self._version or view.now >= self._due:
            self._version = view.version
            self._due = view.now + PERIOD_S
            known = sorted(value for node in view.eligible if (value := self._read(node)) is not None)
            self._value = (known[(len(known) - 1) // 2] + known[len(known) // 2]) / 2 if known else 0.0
        return self._value
