"""The nodes as an operator sees them: what each reports, and its fair share beside that."""

from collections.abc import Iterable

import msgspec

from ringway.protocol.report import Report
from ringway.types import NodeName, NodeState, Role


class NodeRow(msgspec.Struct, frozen=True, kw_only=True):
    """One node. Counters grow from the start of its incarnation."""

    name: NodeName
    state: NodeState
    connections: int
    fair: float  # of all connections, what its weight entitles it to; 0 while it drains
    pending: int
    reserved: int  # places that others hold there for clients on their way
    weight: float
    zone: str
    url: str
    public_url: str
    admin_url: str
    engine_up: bool
    accept_per_s: float
    cpu: float
    memory_bytes: int
    loop_lag_s: float
    accepted: int
    publications: int
    deliveries: int
    moved: dict[NodeName, int]  # connections sent to other nodes
    version: str
    incarnation: str


class GatewayRow(msgspec.Struct, frozen=True, kw_only=True):
    """One gateway."""

    name: NodeName
    url: str
    public_url: str
    admin_url: str
    engine_up: bool
    leading: bool  # its balancer is the one that acts
    version: str
    incarnation: str


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """All members that were heard, in the order of their names."""

    nodes: tuple[NodeRow, ...]
    gateways: tuple[GatewayRow, ...]

    @property
    def connections(self) -> int:
        """How many connections all nodes hold."""
        return sum(node.connections for node in self.nodes)


def describe(reports: Iterable[Report]) -> Cluster:
    """Return what `reports`, one of each member, say together."""
    members = sorted(reports, key=lambda report: _natural(report.name))
    nodes = [report for report in members if report.role is Role.NODE]
    total = sum(node.connections for node in nodes)
    weights = sum(node.weight for node in nodes if node.state is NodeState.ACTIVE)
    rows = []
    for node in nodes:
        entitled = node.state is NodeState.ACTIVE and weights > 0
        rows.append(
            NodeRow(
                fair=total * node.weight / weights if entitled else 0.0,
                reserved=sum(member.reserved.get(node.name, 0) for member in members),
                **{name: getattr(node, name) for name in _SAME},
            )
        )
    gateways = (
        GatewayRow(**{name: getattr(gateway, name) for name in GatewayRow.__struct_fields__})
        for gateway in members
        if gateway.role is Role.GATEWAY
    )
    return Cluster(nodes=tuple(rows), gateways=tuple(gateways))


_SAME = [name for name in NodeRow.__struct_fields__ if name not in ("fair", "reserved")]


def _natural(name: str) -> tuple[str, int, str]:
    """Order node-2 before node-10."""
    stem = name.rstrip("0123456789")
    return stem, int(name[len(stem) :] or 0), name
