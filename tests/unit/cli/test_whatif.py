"""A scenario that begins with the running system, from its members' reports."""

from types import SimpleNamespace

import pytest

from ringway.cli.whatif import scenario_of
from ringway.errors import ConfigError
from ringway.protocol.group import CHANNELS
from ringway.protocol.report import Report
from ringway.sim.contender import make_contenders
from ringway.sim.run import simulate
from ringway.sim.scenario import make_scenario
from ringway.types import Incarnation, NodeName, NodeState, Role


def node(number: int, connections: int, **more: object) -> Report:
    return Report(
        name=NodeName(f"node-{number}"), incarnation=Incarnation(f"{number:08x}"), role=Role.NODE, seq=1, url="",
        connections=connections, accept_per_s=200.0, **more,
    )  # fmt: skip


def members(*reports: Report) -> SimpleNamespace:
    return SimpleNamespace(live={report.name: report for report in reports})


def gateway() -> Report:
    return Report(
        name=NodeName("gateway-1"), incarnation=Incarnation("000000aa"), role=Role.GATEWAY, seq=1, url=""
    )  # fmt: skip


def test_nodes_begin_with_what_they_hold() -> None:
    live = members(node(1, 3000, weight=2.0, zone="a"), node(2, 1000, state=NodeState.DRAINING), gateway())
    scenario = make_scenario(scenario_of(live, {"add": 2, "seed": 5}, ["node-1"], "least-connected", CHANNELS))
    assert [(each.name, each.weight, each.connections, each.draining) for each in scenario.node] == [
        ("node-1", 2.0, 3000, False), ("node-2", 1.0, 1000, True),
    ]  # fmt: skip
    assert (scenario.connections, scenario.gateways, scenario.seed) == (4000, 1, 5)
    assert scenario.policy_before == "least-connected"
    assert [event.do for event in scenario.event] == ["join", "join", "drain"]
    (contender,) = make_contenders([scenario.policy_before], [], [], scenario.balance)
    result = simulate(scenario, contender)
    assert result.course.connections[0][0] == 3000
    assert result.course.connections[-1][:2] == [0, 0]
    assert result.course.nodes[2:] == ["node-3", "node-4"]
    assert sum(result.course.connections[-1]) == 4000


def test_an_empty_system_is_nothing_to_begin_with() -> None:
    with pytest.raises(ConfigError, match="holds no connections"):
        scenario_of(members(node(1, 0)), {}, [], "two-choices", CHANNELS)
