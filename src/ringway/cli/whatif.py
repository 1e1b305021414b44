"""A scenario that begins with the running system, as its members report it."""

from typing import Any

from ringway.cli.cluster import need_node
from ringway.cli.option import SystemChoice
from ringway.cli.process import run_async
from ringway.cli.steer import gateways
from ringway.core.placement.spec import DEFAULT_POLICY
from ringway.errors import ConfigError
from ringway.member.feed import Feed
from ringway.protocol.control import Explain, Explanation
from ringway.protocol.group import DEFAULT
from ringway.protocol.report import Report, group_of
from ringway.types import NodeName, NodeState, Role

AT_S = 10.0


def scenario_of_cluster(
    given: dict[str, Any], drain: list[str], group: str, config_file: str | None, state: str | None
) -> dict[str, Any]:
    """Return a scenario's values: the nodes of a group of the running system.

    The nodes `drain` are drained, and more join. Without `group`, it is the group of the drained nodes, or the only
    group.
    """

    async def ask() -> dict[str, Any]:
        async with gateways(SystemChoice(config_file=config_file, state=state)) as found:
            for name in drain:
                need_node(found.members, name)
            wanted = chosen_group(found.members, drain, group)
            said = await found.ask_any(Explain(group=wanted)) if found.names else None
            policy = said.policy if isinstance(said, Explanation) else DEFAULT_POLICY
            return scenario_of(found.members, given, drain, policy, wanted)

    return run_async(ask())


def chosen_group(members: Feed, drain: list[str], group: str) -> str:
    """Return the group to simulate; raise `ConfigError` if several are possible, or there is no such group."""
    groups = {report.name: group_of(report) for report in members.live.values() if report.role is Role.NODE}
    known = sorted(set(groups.values()))
    wanted = {group} if group else {groups[NodeName(name)] for name in drain} or set(known)
    if len(wanted) > 1:
        raise ConfigError(f"the system has the groups {', '.join(known)}, and one is simulated; name it with --group")
    if known and not wanted.issubset(known):
        raise ConfigError(f"there is no group {group!r}; there are {', '.join(known)}")
    return wanted.pop() if wanted else DEFAULT


def scenario_of(members: Feed, given: dict[str, Any], drain: list[str], policy: str, group: str) -> dict[str, Any]:
    """Return the scenario that begins with the nodes of `group`, as the settings of `ringway simulate`."""
    reports = list(members.live.values())
    gateways = sum(report.role is Role.GATEWAY for report in reports)
    nodes = [report for report in reports if report.role is Role.NODE and group_of(report) == group]
    if not any(node.connections for node in nodes):
        raise ConfigError("the running system holds no connections; simulate a scenario instead of --from-cluster")
    events: list[dict[str, Any]] = [{"at_s": AT_S, "do": "join"} for _ in range(given.pop("add", 0))]
    if drain:
        events.append({"at_s": AT_S, "do": "drain", "nodes": drain})
    return {
        "gateways": max(1, gateways),
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
