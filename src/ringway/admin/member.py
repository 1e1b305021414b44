"""The members as an operator sees them: the report of each node, with its fair share."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

import msgspec

from ringway.protocol.control import NO_CLIENTS, MovePause, StrangerRow, choose_pauses
from ringway.protocol.report import Report, count_present, group_of
from ringway.types import NodeName, NodeState, Role


class NodeRow(msgspec.Struct, frozen=True, kw_only=True):
    """One node. Counters grow from the start of its incarnation."""

    name: NodeName
    group: str  # its connections are placed and moved among the members of this group
    state: NodeState
    connections: int
    fair: float  # the share of its group's connections that belongs to its weight; 0 while it drains
    pending: int
    reserved: int  # places that gateways hold here for clients on their way
    weight: float
    zone: str
    url: str
    public_url: str
    admin_url: str
    engine_up: bool
    secrets: tuple[str, ...]  # fingerprints of its secrets: first that it signs with, then that it accepts as well
    accept_per_s: float
    cpu: float
    memory_bytes: int
    loop_lag_s: float
    accepted: int
    publications: int
    deliveries: int
    moved: dict[NodeName, int]  # connections sent to other nodes
    frozen: str  # the reason why moves of its group are frozen; empty: they are not
    problems: dict[NodeName, str]  # what is wrong with it in the view of a gateway, by gateway
    version: str
    incarnation: str


class GatewayRow(msgspec.Struct, frozen=True, kw_only=True):
    """One gateway."""

    name: NodeName
    url: str
    public_url: str
    admin_url: str
    engine_up: bool
    secrets: tuple[str, ...]  # as of a node
    leading: bool  # true if its balancer leads
    version: str
    incarnation: str


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """All live members, and the strangers, each in the order of their names."""

    nodes: tuple[NodeRow, ...]
    gateways: tuple[GatewayRow, ...]
    strangers: tuple[StrangerRow, ...] = ()  # members that are not believed

    @property
    def connections(self) -> int:
        """The number of connections on all nodes."""
        return sum(node.connections for node in self.nodes)

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups of the nodes, in the order of their names."""
        return tuple(sorted({node.group for node in self.nodes}))


NO_PROBLEMS: Mapping[NodeName, Mapping[NodeName, str]] = {}


def describe(
    reports: Iterable[Report],
    problems: Mapping[NodeName, Mapping[NodeName, str]] = NO_PROBLEMS,
    strangers: Iterable[StrangerRow] = (),
    pauses: Iterable[MovePause] = (),
) -> Cluster:
    """Return the cluster that `reports`, one of each member, describe.

    Several processes may tell of one stranger: the first row of a name counts.
    """
    members = sorted(reports, key=lambda report: _natural(report.name))
    nodes = [report for report in members if report.role is Role.NODE]
    total: dict[str, int] = defaultdict(int)
    weights: dict[str, float] = defaultdict(float)
    for node in nodes:
        total[group_of(node)] += count_present(node)
        weights[group_of(node)] += node.weight if node.state is NodeState.ACTIVE else 0.0
    frozen = {group: pause.why for group, pause in choose_pauses(pauses).items() if pause.is_frozen}
    rows = []
    for node in nodes:
        group = group_of(node)
        entitled = node.state is NodeState.ACTIVE and weights[group] > 0
        rows.append(
            NodeRow(
                group=group,
                frozen=frozen.get(group, ""),
                fair=total[group] * node.weight / weights[group] if entitled else 0.0,
                problems={name: why[node.name] for name, why in problems.items() if node.name in why},
                reserved=sum(member.reserved.get(node.name, 0) for member in members),
                state=_state(node, problems),
                connections=count_present(node),
                **{name: getattr(node, name) for name in _SAME},
            )
        )
    gateways = (
        GatewayRow(**{name: getattr(gateway, name) for name in GatewayRow.__struct_fields__})
        for gateway in members
        if gateway.role is Role.GATEWAY
    )
    by_name = {row.name: row for row in reversed(list(strangers))}
    return Cluster(
        nodes=tuple(rows),
        gateways=tuple(gateways),
        strangers=tuple(by_name[name] for name in sorted(by_name, key=_natural)),
    )


def _state(node: Report, problems: Mapping[NodeName, Mapping[NodeName, str]]) -> NodeState:
    """Return the state to show: a backend cannot say itself that its check fails."""
    fails = node.is_backend and any(why.get(node.name, "").startswith(NO_CLIENTS) for why in problems.values())
    return NodeState.DOWN if fails else node.state


_SAME = [
    name
    for name in NodeRow.__struct_fields__
    if name not in ("group", "fair", "problems", "reserved", "state", "connections", "frozen")
]


def _natural(name: str) -> tuple[str, int, str]:
    """Order node-2 before node-10."""
    stem = name.rstrip("0123456789")
    return stem, int(name[len(stem) :] or 0), name
