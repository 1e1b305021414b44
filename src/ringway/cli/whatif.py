"""A scenario that begins with the running system, as its members report it."""

from typing import Any

from ringway.cli.cluster import need_node
from ringway.cli.process import run_async
from ringway.cli.steer import gateways
from ringway.core.placement.spec import DEFAULT_POLICY
from ringway.errors import ConfigError
from ringway.member.feed import Feed
from ringway.protocol.report import Report
from ringway.types import NodeState, Role

AT_S = 10.0


def scenario_of_cluster(
    given: dict[str, Any], drain: list[str], config_file: str | None, state: str | None
) -> dict[str, Any]:
    """Return a scenario's values: the nodes of the running system, of which `drain` are drained, and more join."""

    async def ask() -> dict[str, Any]:
        async with gateways({}, config_file, state) as found:
            for name in drain:
                need_node(found.members, name)
            followed = await found.followed()
            return scenario_of(found.members, given, drain, followed[0].policy if followed else DEFAULT_POLICY)

    return run_async(ask())


def scenario_of(members: Feed, given: dict[str, Any], drain: list[str], policy: str) -> dict[str, Any]:
    """Return the scenario that begins with the nodes that `members` knows, as the settings of `ringway simulate`."""
    reports = list(members.live.values())
    nodes = [report for report in reports if report.role is Role.NODE]
    if not any(node.connections for node in nodes):
        raise ConfigError("the running system holds no connections; simulate a scenario instead of --from-cluster")
    events: list[dict[str, Any]] = [{"at_s": AT_S, "do": "join"} for _ in range(given.pop("add", 0))]
    if drain:
        events.append({"at_s": AT_S, "do": "drain", "nodes": drain})
    return {
        "gateways": max(1, len(reports) - len(nodes)),
        "policy_before": policy,
        **given,
        "scenario": "script",
        "node": [_node(report) for report in sorted(nodes, key=lambda report: report.name)],
        "event": events or [{"at_s": AT_S, "do": "crowd"}],
    }


def _node(report: Report) -> dict[str, Any]:
    return {
        "name": report.name,
        "weight": report.weight or 1.0,
        "zone": report.zone,
        "handshakes_per_s": report.accept_per_s,
        "connections_max": report.connections_max,
        "connections": report.connections,
        "draining": report.state is NodeState.DRAINING,
    }
