"""Outliers of a gateway: what is remembered of a group goes with the group."""

from ringway.core.group import EMPTY_S, Groups
from ringway.gateway.cluster.outliers import Failure, NodeFailures
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.stats import GatewayStats
from ringway.time_of_day import time_of_day
from ringway.types import Issuer, NodeName
from sample import node_report


def test_a_node_that_is_taken_out_says_for_how_long_and_until_which_time_of_day() -> None:
    groups = Groups(Issuer("0badcafe"))
    config = GatewayConfig(outlier_failures=1, outlier_eject_s=20.0)
    failures = NodeFailures(config, groups, GatewayStats(), lambda: 0.0, lambda name: None, lambda: 1000.0)
    for name in ("a", "b", "c"):
        groups.reported(node_report(name), 0.0)
    failures.judge(groups.nodes[NodeName("a")], [Failure(groups.nodes[NodeName("b")], "it hangs")])
    until = time_of_day(1020.0)
    assert groups.nodes[NodeName("b")].ejected.startswith(f"was taken out for 20 s, until {until}: 1 handshakes")


def test_nothing_is_kept_of_a_group_that_is_forgotten() -> None:
    groups, asked = Groups(Issuer("0badcafe")), list[NodeName]()
    failures = NodeFailures(GatewayConfig(), groups, GatewayStats(), lambda: 0.0, asked.append)
    reports = [node_report(name, is_backend=True, group="chat") for name in ("a", "b")]
    for report in reports:
        groups.reported(report, 0.0)
    nodes = groups["chat"].view.nodes
    failures.judge(nodes[NodeName("a")], [Failure(nodes[NodeName("b")], "it hangs")])
    assert set(failures.groups) == {"chat"}
    for report in reports:
        groups.forgotten(report)
    groups.tick(0.0)
    groups.tick(EMPTY_S)
    assert set(failures.groups) == set()
