"""A scenario that begins with the running system, as its members report it."""

from typing import Any

from ringway.app.member import Members
from ringway.cli.cluster import joined, need_node
from ringway.cli.process import run_async
from ringway.errors import ConfigError
from ringway.protocol.report import Report
from ringway.types import NodeState, Role

AT_S = 10.0


def scenario_of_cluster(
    given: dict[str, Any], drain: list[str], config_file: str | None, state: str | None
) -> dict[str, Any]:
    """Return a scenario's values: the nodes of the running system, of which `drain` are drained, and more join."""

    async def ask() -> dict[str, Any]:
        async with joined({}, config_file, state) as (_, members):
            for name in drain:
                need_node(members, name)
            return _scenario(members, given, drain)

    return run_async(ask())


def _scenario(members: Members, given: dict[str, Any], drain: list[str]) -> dict[str, Any]:
    reports = list(members.live.values())
    nodes = [report for report in reports if report.role is Role.NODE]
    gateways = [report for report in reports if report.role is Role.GATEWAY]
    if not any(node.connections for node in nodes):
        raise ConfigError("the running system holds no connections; simulate a scenario instead of --from-cluster")
    events: list[dict[str, Any]] = [{"at_s": AT_S, "do": "join"} for _ in range(given.pop("add", 0))]
    if drain:
        events.append({"at_s": AT_S, "do": "drain", "nodes": drain})
    return {
        "gateways": max(1, len(gateways)),
        "policy_before": _policy(gateways),
        **given,
        "scenario": "script",
        "node": [_node(report) for report in sorted(nodes, key=lambda report: report.name)],
        "event": events or [{"at_s": AT_S, "do": "crowd"}],
    }


def _policy(gateways: list[Report]) -> str:
    """The policy in force, as far as the gateways' directive names it."""
    return next((gateway.directive.policy for gateway in gateways if gateway.directive), "") or "two-choices"


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
