"""Stabilisation: how long the members have not changed. They come and go in groups, and half a group misleads.

Only what changes shares for good counts: which nodes there are, their state and the weight that they report. The slow
weight loop (trims) does not: it would keep the balancer waiting for ever.
"""

from collections.abc import Iterable

from ringway.core.load import NodeLoad


class Stabilisation:
    """Call `observe` about once a second, also while another gateway leads: a new leader need not wait anew."""

    def __init__(self) -> None:
        self.changes = 0
        self._members: frozenset[tuple[object, ...]] | None = None
        self._changed_at = 0.0

    def observe(self, nodes: Iterable[NodeLoad], now: float) -> None:
        """Note which nodes there are, and their state."""
        members = frozenset((node.name, node.incarnation, node.state, node.weight_own) for node in nodes)
        if members != self._members:
            self._members = members
            self._changed_at = now
            self.changes += 1

    def waited_s(self, now: float) -> float:
        """For how long nothing has changed."""
        return now - self._changed_at
