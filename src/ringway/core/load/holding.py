"""Places that other members hold at nodes, as far as reports tell.

A gateway reports the places that it holds; a node reports whose tickets it has redeemed. The two report at different
times: when a node has counted an arrival as a connection, the gateway's last report still counts it as a place, for up
to a period. The node would look as full as if every client had come twice, to all gateways, and they would all avoid it
and fill another node. So the tickets that a node has redeemed since a member's last report are subtracted from the
places of that member.
"""

from collections.abc import Iterable, Mapping

from ringway.protocol.report import Report
from ringway.types import Issuer, NodeName


class Holdings:
    """The places of other members. The methods return by how much the places at each node have changed."""

    __slots__ = ("_left", "_reports")

    def __init__(self) -> None:
        self._reports: dict[NodeName, Report] = {}  # of members that hold places, their last
        self._left: dict[NodeName, dict[NodeName, int]] = {}  # reported places, not redeemed since

    def told_by(self) -> Iterable[tuple[Report, Mapping[NodeName, int]]]:
        """The last reports of those that hold places, and what of these has not been redeemed since, by node."""
        return ((report, self._left[name]) for name, report in self._reports.items())

    def at(self, node: NodeName) -> int:
        """How many places all of them hold at `node`."""
        return sum(left.get(node, 0) for left in self._left.values())

    def told(self, member: Report) -> dict[NodeName, int]:
        """Take the report of a member: it replaces the one before."""
        before = self._left.get(member.name, {})
        changes = {node: member.reserved.get(node, 0) - before.get(node, 0) for node in before | member.reserved}
        if member.reserved:
            self._reports[member.name] = member
            self._left[member.name] = dict(member.reserved)
        else:
            self._drop(member.name)
        return changes

    def redeemed(self, node: Report, before: Report) -> int:
        """Subtract the tickets that were redeemed between two reports of one incarnation, `before` and `node`."""
        change = 0
        for name, left in self._left.items():
            held = left.get(node.name)
            if held:
                issuer = Issuer(self._reports[name].incarnation)
                grown = node.taken.get(issuer, 0) - before.taken.get(issuer, 0)
                ended = min(held, max(0, grown))
                left[node.name] = held - ended
                change -= ended
        return change

    def gone(self, member: NodeName) -> dict[NodeName, int]:
        """Drop a member that has left."""
        changes = {node: -held for node, held in self._left.get(member, {}).items()}
        self._drop(member)
        return changes

    def _drop(self, member: NodeName) -> None:
        self._reports.pop(member, None)
        self._left.pop(member, None)
