import pytest

from ringway.app.backend_metric import REGISTRATION, SOURCES, read_sources
from ringway.app.collect_metric import COLLECT, COLLECTED
from ringway.app.group_metric import read_groups, read_policies
from ringway.app.hook_metric import HOOKS, read_hooks_of
from ringway.app.log_writer import LogWriter
from ringway.app.metric import (
    BALANCER,
    EVERY_PROCESS,
    GATEWAY,
    NO_METRIC,
    NODE,
    VIEW,
    read_process,
    read_stats,
    read_strangers,
)
from ringway.app.outbox_metric import OUTBOX, read_outbox
from ringway.app.server_api_metric import SERVER_API, read_server_api
from ringway.balancer.stats import BalancerStats
from ringway.collect.poller import CollectStats
from ringway.core.group import Groups
from ringway.core.outbox import RowEnd
from ringway.core.placement.score import Score
from ringway.core.steering import Steering
from ringway.core.strangers import Strangers
from ringway.gateway.backends.book import BackendBook
from ringway.gateway.stats import GatewayStats
from ringway.hooks.hooks import Hooks
from ringway.hooks.stats import HookOutcome
from ringway.node.server_api.stats import ServerApiStats
from ringway.node.stats import NodeStats
from ringway.outbox.stats import OutboxStats
from ringway.protocol.backend import Backend
from ringway.protocol.seal import SealFault
from ringway.sources.registration.stats import RegistrationStats
from ringway.sources.sink import Offer
from ringway.types import Issuer, NodeName
from sample import fullness, groups_of, node_report

STATS = [
    (GatewayStats(), GATEWAY), (NodeStats(), NODE), (BalancerStats(), BALANCER), (CollectStats(), COLLECT),
    (RegistrationStats(), REGISTRATION),
]  # fmt: skip
IDS = ["gateway", "node", "balancer", "collect", "registration"]
ALL = [
    *GATEWAY.values(),
    *NODE.values(),
    *BALANCER.values(),
    *COLLECT.values(),
    *EVERY_PROCESS,
    *VIEW,
    *COLLECTED,
    *SOURCES,
    *REGISTRATION.values(),
    *SERVER_API,
    *HOOKS,
    *OUTBOX,
]


@pytest.mark.parametrize(("stats", "table"), STATS, ids=IDS)
def test_every_counter_of_a_component_has_a_metric_and_no_metric_is_without_one(stats, table):
    assert set(table) == set(type(stats).__slots__) - NO_METRIC


@pytest.mark.parametrize(("stats", "table"), STATS, ids=IDS)
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
    assert list(read_groups(Groups(Issuer("0" * 8)))()) == []


def test_nodes_in_doubt_are_told_where_nodes_are_knocked():
    view = Groups(Issuer("0" * 8))
    view.knocks = True
    for name in ("n1", "n2"):
        view.reported(node_report(name), 0.0)
    view.believe([NodeName("n1")])
    samples = [(sample.labels, sample.value) for sample in read_groups(view)() if "doubted" in sample.metric.name]
    assert samples == [(("n1",), 0), (("n2",), 1)]


def test_a_policy_is_asked_how_it_fares() -> None:
    assert list(read_policies(groups_of({"n1": 1.0}))()) == []
    steering = Steering("score:call=sample:fullness", b"", lambda call: fullness)
    assert isinstance(steering.policy, Score)
    steering.policy.failures = 3
    assert [sample.value for sample in read_policies(groups_of({"n1": 1.0}, steering))()] == [3]


@pytest.mark.parametrize("are_counted", [True, False])
def test_refused_reports_are_counted_by_fault_and_strangers_where_all_are_heard(are_counted):
    strangers = Strangers()
    for _ in range(3):
        strangers.on_refused(NodeName("n1"), SealFault.FORGED, "", 0.0)
    samples = {
        (sample.metric.name, *sample.labels): sample.value
        for sample in read_strangers(strangers, are_counted=are_counted)()
    }
    assert samples["ringway_messages_refused_total", "report", "forged"] == 3
    assert samples["ringway_messages_refused_total", "report", "stale"] == 0
    assert samples.get(("ringway_gateway_strangers",)) == (1 if are_counted else None)


def test_a_source_that_cannot_be_read_tells_the_age_of_its_last_good_list():
    now = 100.0
    book = BackendBook(lambda name, draining, within_s: None, lambda name: False, lambda: now)

    def read() -> dict[str, float]:
        samples = [(sample.metric.name, sample.labels, sample.value) for sample in read_sources(book)()]
        assert all(labels == ("file x",) for _, labels, _ in samples)
        return {name.removeprefix("ringway_source_"): value for name, _, value in samples}

    assert read() == {}
    book.update("file x", {NodeName("a"): Offer(Backend(name=NodeName("a"), url="ws://a"))})
    assert read() == {"backends": 1, "failures_total": 0, "stale_seconds": 0}
    book.report_problem("file x", "it is broken")
    now = 107.0
    book.report_problem("file x", "it is broken otherwise")
    assert read() == {"backends": 1, "failures_total": 2, "stale_seconds": 7.0}
    assert book.problems == {"file x": "it is broken otherwise"}
    book.report_problem("file x", "")
    assert read() == {"backends": 1, "failures_total": 2, "stale_seconds": 0}
    assert book.problems == {}


def test_calls_of_backends_are_counted_by_method_and_outcome():
    stats = ServerApiStats()
    stats.calls["publish", "ok"] += 2
    stats.calls["publish", "107"] += 1
    stats.refused[401] += 1
    (read,) = read_server_api(stats)
    samples = {(sample.metric.name, *sample.labels): sample.value for sample in read()}
    assert samples == {
        ("ringway_server_api_calls_total", "publish", "ok"): 2,
        ("ringway_server_api_calls_total", "publish", "107"): 1,
        ("ringway_server_api_refused_total", "401"): 1,
    }
    assert read_server_api(None) == []


def test_hooks_are_counted_by_event_and_outcome():
    hooks = Hooks(["app:endpoint=https://app.example/", "other:endpoint=https://app.example/"], lambda: 0.0)
    hook = hooks.named("app")
    hook.stats.requests["connect", HookOutcome.TIMEOUT] += 2
    hook.stats.seconds["connect"] += 1.5
    samples = {(sample.metric.name, *sample.labels): sample.value for sample in read_hooks_of(hooks)()}
    assert samples["ringway_hook_requests_total", "app", "connect", "timeout"] == 2
    assert samples["ringway_hook_request_seconds_total", "app", "connect"] == 1.5
    assert [samples["ringway_hook_open", name] for name in ("app", "other")] == [0, 0]
    assert (samples["ringway_hook_waiting", "app"], samples["ringway_hook_opened_total", "app"]) == (0, 0)


def test_an_outbox_has_a_metric_for_each_of_its_counters():
    stats = OutboxStats()
    stats.rows[RowEnd.DONE] += 3
    stats.batches, stats.failures, stats.database_up, stats.lag_s = 2, 1, 1, 0.5
    (read,) = read_outbox(stats)
    assert {sample.metric: sample.value for sample in read()} == dict(zip(OUTBOX, (3, 2, 1, 1, 0.5), strict=True))
    assert len(OUTBOX) == len(OutboxStats.__slots__)
    assert read_outbox(None) == []
