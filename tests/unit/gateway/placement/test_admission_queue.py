"""Admission queue of a gateway: clients come as fast as nodes report to accept them."""

import pytest

from ringway.core.admission_slots import BURST_S
from ringway.core.load import LoadView
from ringway.errors import ConfigError, NoNode
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.placement.admission_queue import REFRESH_S, AdmissionQueue
from ringway.gateway.stats import GatewayStats
from ringway.protocol.group import DEFAULT
from sample import GATEWAY, gateway_report, node_report

PER_S = 20.0 * 0.5
"""Of a node that can take 20 handshakes a second, half is for newcomers."""


def queue_over(view: LoadView, stats: GatewayStats | None = None, **settings: float | bool) -> AdmissionQueue:
    queue = AdmissionQueue(view, GatewayConfig(**settings), stats or GatewayStats())  # type: ignore[arg-type]
    queue.refresh(0.0)
    return queue


def two_nodes(accept_per_s: float = 20.0, connections: int = 100) -> LoadView:
    view = LoadView(GATEWAY)
    for node in ("n0", "n1"):
        view.reported(node_report(node, accept_per_s=accept_per_s, connections=connections), 0.0)
    return view


def waits(queue: AdmissionQueue, count: int, now: float = 0.0) -> list[float]:
    return [queue.take_slot(now, held=False) for _ in range(count)]


def test_clients_come_as_fast_as_the_nodes_together_can_take_them() -> None:
    queue = queue_over(two_nodes())
    assert waits(queue, 101)[-1] == pytest.approx(100 / (2 * PER_S) - BURST_S)


def test_gateways_share_it() -> None:
    view = two_nodes()
    for gateway in ("g1", "g2"):
        view.reported(gateway_report(gateway), 0.0)
    assert waits(queue_over(view), 101)[-1] == pytest.approx(100 / PER_S - BURST_S)
    view.forgotten(gateway_report("g2"))
    assert waits(queue_over(view), 101)[-1] == pytest.approx(100 / (2 * PER_S) - BURST_S)


def test_only_those_count_that_may_be_given_newcomers() -> None:
    view = two_nodes()
    view.reported(node_report("n1", 2, accept_per_s=20.0, connections=7, connections_max=7), 0.0)
    view.reported(node_report("n2", accept_per_s=20.0, draining=True), 0.0)
    assert waits(queue_over(view), 101)[-1] == pytest.approx(100 / PER_S - BURST_S)


def test_what_changes_is_seen_soon() -> None:
    view = two_nodes()
    queue = queue_over(view)
    view.reported(node_report("n2", accept_per_s=1e6), 0.0)
    queue.refresh(REFRESH_S)
    assert waits(queue, 1000, REFRESH_S) == [0.0] * 1000


def test_a_node_that_does_not_say_what_it_can_take_switches_it_off() -> None:
    view = two_nodes()
    view.reported(node_report("n2"), 0.0)
    queue = queue_over(view)
    assert waits(queue, 1000) == [0.0] * 1000
    assert queue.window_ms == 0


def test_beyond_the_longest_wait_clients_are_told_when_to_ask_again() -> None:
    stats = GatewayStats()
    queue = queue_over(two_nodes(), stats, slot_wait_s=10.0)
    with pytest.raises(NoNode, match="as many newcomers as they can take") as refused:
        waits(queue, 1000)
    assert refused.value.wait_s == pytest.approx(5.0, abs=0.1)
    assert stats.turned_away == 1
    assert stats.slots == pytest.approx(10.0 * 2 * PER_S, abs=2)


def test_who_is_held_is_not_held_for_long() -> None:
    queue = queue_over(two_nodes(), slot_hold_s=2.0)
    waits(queue, 30)
    assert 1.0 < queue.take_slot(0.0, held=True) < 2.0
    waits(queue, 20)
    with pytest.raises(NoNode):
        queue.take_slot(0.0, held=True)
    assert queue.take_slot(0.0, held=False) > 2.0


def test_switched_off_nobody_waits_and_nothing_is_advised() -> None:
    queue = queue_over(two_nodes(), slot_wait_s=0.0, reconnect_window=False)
    assert waits(queue, 1000) == [0.0] * 1000
    assert queue.take_slot(0.0, held=True) == 0.0
    assert queue.window_ms == 0


def test_the_window_is_what_the_others_need_for_the_clients_of_one() -> None:
    """100 clients at half of 20 handshakes a second, and a sixth to spare."""
    stats = GatewayStats()
    queue = queue_over(two_nodes(), stats)
    assert queue.window_ms == 12_000
    assert stats.reconnect_window_s == {DEFAULT: 12.0}
    assert queue_over(two_nodes(connections=0)).window_ms == 1000
    assert queue_over(LoadView(GATEWAY)).window_ms == 0


def test_a_node_that_drains_takes_nobody_back() -> None:
    view = two_nodes()
    view.reported(node_report("n2", accept_per_s=20.0, draining=True, connections=100), 0.0)
    assert queue_over(view).window_ms == 12_000, "for the clients of n0 there is n1 alone"


def test_who_is_held_longer_than_a_handshake_may_take_would_be_late() -> None:
    with pytest.raises(ConfigError, match="slot_hold_s is 8, handshake_deadline_s is 8"):
        GatewayConfig(slot_hold_s=8.0)
