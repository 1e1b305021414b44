"""Tables of the members of the cluster: the nodes with their load, and the gateways."""

from ringway.admin.member import Cluster, GatewayRow, NodeRow
from ringway.cli.grid import Cell, Grid
from ringway.protocol.seal import SealFault
from ringway.types import NodeState

SECRETS = "secret"
"""The column of the fingerprints: the secret that the member signs with, and after a plus the secret that it accepts as
well."""


VERSION = "version"
"""The column of the members' releases."""

UNKNOWN = "-"
"""The measure of a node that does not report it: gateways know only the number of a backend's connections."""


def nodes_grid(cluster: Cluster) -> Grid:
    """Return the nodes, one a line, a group after the other.

    Groups are shown if there are several, weights if they differ from 1, secrets while they are changed, and versions
    while they differ.
    """
    grouped = len(cluster.groups) > 1
    weighted = any(node.weight != 1 for node in cluster.nodes)
    numbers = ("conns", "fair", *(["weight"] if weighted else []), "cpu", "memory")
    changing, mixed = _secrets_change(cluster), _versions_differ(cluster)
    rows = [
        (
            Cell(node.name, "bold"),
            *([Cell(node.group)] if grouped else []),
            state_cell(node),
            Cell(f"{node.connections:,}"),
            Cell(f"{node.fair:,.0f}"),
            *([Cell(f"{node.weight:g}")] if weighted else []),
            Cell(cpu_in_words(node)),
            Cell(f"{node.memory_bytes / 2**20:,.0f} MiB" if node.memory_bytes else UNKNOWN),
            *([secrets_cell(node)] if changing else []),
            *([_version_cell(node)] if mixed else []),
            Cell(node.public_url or node.url),
        )
        for node in by_group(cluster)
    ]
    columns = (
        "node",
        *(["group"] if grouped else []),
        "state",
        *numbers,
        *([SECRETS] if changing else []),
        *([VERSION] if mixed else []),
        "clients connect to",
    )
    return Grid(columns, rows, frozenset(numbers))


def by_group(cluster: Cluster) -> list[NodeRow]:
    """Return the nodes of each group together, in their order."""
    return sorted(cluster.nodes, key=lambda node: node.group)


def problem_lines(cluster: Cluster) -> list[str]:
    """Return the problems of nodes, one a line, with the gateways that see the problem."""
    lines = []
    for node in cluster.nodes:
        for why in sorted(set(node.problems.values())):
            gateways = ", ".join(name for name, each in node.problems.items() if each == why)
            lines.append(f"{node.name} {why} (seen by {gateways})")
    return lines


def gateways_grid(cluster: Cluster) -> Grid:
    """Return the gateways, one a line."""
    changing, mixed = _secrets_change(cluster), _versions_differ(cluster)
    rows = [
        (
            Cell(gateway.name, "bold"),
            *([secrets_cell(gateway)] if changing else []),
            *([_version_cell(gateway)] if mixed else []),
            Cell(gateway.public_url or gateway.url),
            Cell(gateway.admin_url),
            Cell("leads", "green") if gateway.leading else Cell("stands by", "dim"),
        )
        for gateway in cluster.gateways
    ]
    own = (*([SECRETS] if changing else []), *([VERSION] if mixed else []))
    return Grid(("gateway", *own, "url", "admin", "balancer"), rows)


def secrets_cell(member: NodeRow | GatewayRow) -> Cell:
    """Return the fingerprints of a member's secrets: that of the signing secret is first."""
    return Cell(" + ".join(member.secrets))


def _version_cell(member: NodeRow | GatewayRow) -> Cell:
    """Return the release of a member; a backend has none."""
    return Cell(member.version or UNKNOWN)


def cpu_in_words(node: NodeRow) -> str:
    """Return a node's use of its CPU as a share of 1; no value for a backend without measures."""
    return f"{node.cpu:.0%}" if node.cpu or node.memory_bytes else UNKNOWN


def _secrets_change(cluster: Cluster) -> bool:
    """True if members have different secrets, or a member has two secrets. A backend has no secret."""
    held = {node.secrets for node in cluster.nodes} | {gateway.secrets for gateway in cluster.gateways}
    held.discard(())
    return len(held) > 1 or any(len(secrets) > 1 for secrets in held)


def _versions_differ(cluster: Cluster) -> bool:
    """True while members are of different releases, as during an upgrade."""
    versions = {node.version for node in cluster.nodes} | {gateway.version for gateway in cluster.gateways}
    return len(versions - {""}) > 1


FAULTS = {
    SealFault.UNSEALED: "not sealed",
    SealFault.FORGED: "another secret",
    SealFault.VERSION: "another version",
    SealFault.STALE: "another clock",
    SealFault.REPLAYED: "sent again",
    SealFault.UNREADABLE: "unreadable",
}
"""The faults of messages in words."""


STRANGERS_SHOWN = 20
"""The number of strangers that are shown: invented names must not push the members off the screen."""


def strangers_grid(cluster: Cluster) -> Grid:
    """Return the members that are not believed, one a line; above `STRANGERS_SHOWN`, how many more there are."""
    rows = [
        (Cell(each.name, "bold"), Cell(FAULTS[each.fault], "red"), Cell(each.problem))
        for each in cluster.strangers[:STRANGERS_SHOWN]
    ]
    more = len(cluster.strangers) - len(rows)
    if more > 0:
        rows.append((Cell("..."), Cell(""), Cell(f"and {more} more: /v1/members at a gateway's admin port lists all")))
    return Grid(("not believed", "fault", "why, and the remedy"), rows)


def state_cell(node: NodeRow) -> Cell:
    """Return a node's state in a word or two, in the colour of its health."""
    if not node.engine_up:
        return Cell("no engine", "red")
    if node.problems and node.state is NodeState.ACTIVE:
        return Cell("problem", "red")
    return Cell(node.state, "green" if node.state is NodeState.ACTIVE else "yellow")
