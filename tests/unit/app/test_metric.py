import pytest

from ringway.app.log_writer import LogWriter
from ringway.app.metric import (
    BALANCER,
    COLLECT,
    COLLECTED,
    EVERY_PROCESS,
    GATEWAY,
    NO_METRIC,
    NODE,
    VIEW,
    read_policy,
    read_process,
    read_stats,
    read_view,
)
from ringway.balancer.stats import BalancerStats
from ringway.collect.poller import CollectStats
from ringway.core.load import LoadView
from ringway.core.placement.score import Score
from ringway.core.steering import Steering
from ringway.gateway.stats import GatewayStats
from ringway.node.stats import NodeStats
from ringway.types import Issuer

STATS = [(GatewayStats(), GATEWAY), (NodeStats(), NODE), (BalancerStats(), BALANCER), (CollectStats(), COLLECT)]
ALL = [*GATEWAY.values(), *NODE.values(), *BALANCER.values(), *COLLECT.values(), *EVERY_PROCESS, *VIEW, *COLLECTED]


@pytest.mark.parametrize(("stats", "table"), STATS, ids=["gateway", "node", "balancer", "collect"])
def test_every_counter_of_a_component_has_a_metric_and_no_metric_is_without_one(stats, table):
    assert set(table) == set(type(stats).__slots__) - NO_METRIC


@pytest.mark.parametrize(("stats", "table"), STATS, ids=["gateway", "node", "balancer", "collect"])
def test_counters_by_kind_have_a_label_and_others_none(stats, table):
    for attribute, metric in table.items():
        assert bool(metric.labels) == isinstance(getattr(stats, attribute), dict), attribute


def test_names_follow_the_conventions():
    assert len({metric.name for metric in ALL}) == len(ALL)
    for metric in ALL:
        assert metric.name.startswith("ringway_")
        assert metric.name.endswith("_total") == (metric.kind == "counter"), metric.name
        assert metric.help.endswith("."), metric.name


def test_plain_counters_are_read_when_asked():
    stats = GatewayStats()
    read = read_stats(stats, GATEWAY)
    stats.connections += 2
    stats.responses[404] += 1
    samples = {(sample.metric.name, sample.labels): sample.value for sample in read()}
    assert samples["ringway_gateway_connections_total", ()] == 2
    assert samples["ringway_gateway_responses_total", ("404",)] == 1


def test_a_process_without_an_engine_says_nothing_of_one():
    log = LogWriter(None, 1024, str)
    names = [sample.metric.name for sample in read_process("gateway", "g", None, log)()]
    assert names == ["ringway_build_info", "ringway_log_lines_total", "ringway_log_dropped_total"]


def test_an_empty_view_has_no_samples():
    assert list(read_view(LoadView(Issuer("0" * 8)))()) == []


def test_a_policy_is_asked_how_it_fares() -> None:
    assert list(read_policy(Steering("two-choices", b""))()) == []
    steering = Steering("score:call=sample:fullness", b"")
    assert isinstance(steering.policy, Score)
    steering.policy.failures = 3
    assert [sample.value for sample in read_policy(steering)()] == [3]
