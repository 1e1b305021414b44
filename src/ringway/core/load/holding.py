"""Places that other members hold at nodes, as far as reports tell.

A gateway reports the places that it holds; a node reports the tickets that it has redeemed, by issuer. They report at
different times: when a node has counted an arrival as a connection, the gateway's last report still counts it as a
place, for up to a period. By these reports every client would have come twice, so all gateways would avoid the node and
overfill the rest. So the tickets that a node has redeemed since a member's last report are subtracted from the places
of that member.

The cost of a node's report is proportional to the number of members with places at the node. While hundreds of nodes
move clients, each of them holds places at a few nodes, and there are no places at most nodes.
"""

from collections.abc import Iterable, Mapping

from ringway.protocol.report import Report
from ringway.types import Issuer, NodeName

_UNCHANGED: dict[NodeName, int] = {}


class Holdings:
    """The places of other members. Methods that change them return the change of the places at each node."""

    __slots__ = ("_holders", "_left", "_reports")

    def __init__(self) -> None:
        self._reports: dict[NodeName, Report] = {}  # the last reports of members that hold places
        self._left: dict[NodeName, dict[NodeName, int]] = {}  # by member: reported places, not redeemed since
        self._holders: dict[NodeName, set[NodeName]] = {}  # by node: the members with places at it in `_left`

    def told_by(self) -> Iterable[tuple[Report, Mapping[NodeName, int]]]:
        """The last reports of members that hold places, each with its places that were not redeemed since, by node."""
        return ((report, self._left[name]) for name, report in self._reports.items())

    def at(self, node: NodeName) -> int:
        """The number of places that all members together hold at `node`."""
        return sum(self._left[member][node] for member in self._holders.get(node, ()))

    def told(self, member: Report) -> dict[NodeName, int]:
        """Read the report of a member: it replaces the member's earlier report."""
        if not member.reserved and member.name not in self._left:
            return _UNCHANGED
        before = self._left.get(member.name, {})
        changes = {node: member.reserved.get(node, 0) - before.get(node, 0) for node in before | member.reserved}
        if not member.reserved:
            self._drop(member.name)
            return changes
        for node in before.keys() - member.reserved.keys():
            self._drop_holder(node, member.name)
        for node in member.reserved.keys() - before.keys():
            self._holders.setdefault(node, set()).add(member.name)
        self._reports[member.name] = member
        self._left[member.name] = dict(member.reserved)
        return changes

    def redeemed(self, node: Report, before: Report) -> int:
        """Subtract the tickets that were redeemed between two reports of one incarnation, `before` and `node`."""
        change = 0
        for name in self._holders.get(node.name, ()):
            left = self._left[name]
            held = left[node.name]
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
        for node in self._left.pop(member, ()):
            self._drop_holder(node, member)

    def _drop_holder(self, node: NodeName, member: NodeName) -> None:
        holders = self._holders[node]
        holders.remove(member)
        if not holders:
            del self._holders[node]
