"""Stabilisation: the time since the last change of members. They come and go in groups, and half a group misleads.

Only lasting changes of shares count: the set of nodes, their state and the weights that they report. The slow weight
loop (trims) does not count: the balancer would wait for ever.
"""

from ringway.core.load import LoadView


class Stabilisation:
    """Call `observe` about once a second, also while a different gateway leads: a new leader need not wait anew."""

    def __init__(self) -> None:
        self.changes = 0
        self._members: frozenset[tuple[object, ...]] | None = None
        self._version = -1
        self._changed_at = 0.0

    def observe(self, view: LoadView, now: float) -> None:
        """Record the nodes of `view`, which is always the same view, with their states and their weights."""
        if view.members_version == self._version:
            return
        self._version = view.members_version
        nodes = view.nodes.values()
        members = frozenset((node.name, node.incarnation, node.state, node.weight_own) for node in nodes)
        if members != self._members:
            self._members = members
            self._changed_at = now
            self.changes += 1

    def waited_s(self, now: float) -> float:
        """The seconds since the last change."""
        return now - self._changed_at
