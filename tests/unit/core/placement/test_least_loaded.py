"""Least loaded: by utilisation, carried forward."""

from collections import Counter

import pytest

from ringway.core.load import LoadView
from ringway.core.placement.least_loaded import LeastLoaded
from ringway.core.placement.usage import BLACKOUT_S, EXPIRES_S
from ringway.types import NodeName
from sample import GATEWAY, node_report, rng

N0, N1, N2 = NodeName("n0"), NodeName("n1"), NodeName("n2")


def used(seq: int = 1, now: float = 0.0, view: LoadView | None = None, **nodes: float | None) -> LoadView:
    """Let nodes report what they use of their CPU, with a hundred connections each, and let their blackout pass."""
    made = view or LoadView(GATEWAY)
    for name, cpu in nodes.items():
        utilisation = {} if cpu is None else {"cpu": cpu, "memory": 0.1}
        made.reported(node_report(name, seq, connections=100, utilisation=utilisation), now)
    made.wake(now if view else BLACKOUT_S)
    return made


def chosen(policy: LeastLoaded, view: LoadView, picks: int = 300) -> Counter[str]:
    chance = rng()
    return Counter(policy.pick(view, None, chance, 1).nodes[0].name for _ in range(picks))


def test_the_less_used_one_of_two_is_chosen() -> None:
    assert chosen(LeastLoaded(), used(n0=0.5, n1=0.4)) == {"n1": 300}


def test_what_counts_is_the_scarcest_resource() -> None:
    view = used(n0=0.5)
    view.reported(node_report("n1", connections=100, utilisation={"cpu": 0.1, "files": 0.9}), 0.0)
    assert LeastLoaded().value(view, view.nodes[N1]) == 0.9


def test_within_five_in_a_hundred_the_less_full_is_chosen() -> None:
    view = used(n0=0.50, n1=0.49)
    view.reported(node_report("n0", 2, connections=50, utilisation={"cpu": 0.50}), 10.0)
    assert chosen(LeastLoaded(), view) == {"n0": 300}


def test_places_held_since_the_report_carry_it_forward() -> None:
    view = used(n0=0.5, n1=0.4)
    policy = LeastLoaded()
    for _ in range(30):
        view.place(view.nodes[N1], 10.0)
    assert policy.value(view, view.nodes[N1]) == pytest.approx(0.4 + 30 * 0.004)
    assert chosen(policy, view) == {"n0": 300}


def test_the_cost_of_a_connection_is_smoothed_over_reports() -> None:
    view, policy = used(n0=0.4), LeastLoaded()
    policy.value(view, view.nodes[N0])
    used(2, 11.0, view, n0=0.8)
    view.place(view.nodes[N0], 11.0)
    assert policy.value(view, view.nodes[N0]) == pytest.approx(0.8 + 0.004 + 0.3 * 0.004)


def test_a_node_without_a_utilisation_counts_as_the_median_never_as_idle() -> None:
    view = used(n0=0.6, n1=0.4, n2=None)
    policy = LeastLoaded()
    assert policy.value(view, view.nodes[N2]) == 0.5
    assert policy.value(used(n0=None), used(n0=None).nodes[N0]) == 0.0


def test_the_first_seconds_of_a_node_do_not_count() -> None:
    view, policy = used(n0=0.6, n1=0.4), LeastLoaded()
    used(1, 20.0, view, n2=0.21)
    view.wake(20.0 + BLACKOUT_S - 0.1)
    assert policy.value(view, view.nodes[N2]) == 0.5
    view.wake(20.0 + BLACKOUT_S)
    assert policy.value(view, view.nodes[N2]) == 0.21


def test_after_a_gap_it_is_not_believed_at_once_either() -> None:
    view, policy = used(n0=0.6, n1=0.4, n2=0.8), LeastLoaded()
    assert policy.value(view, view.nodes[N2]) == 0.8
    used(2, 30.0, view, n0=0.6, n1=0.4, n2=None)
    assert policy.value(view, view.nodes[N2]) == 0.5
    used(3, 40.0, view, n0=0.6, n1=0.4, n2=0.21)
    assert policy.value(view, view.nodes[N2]) == 0.5
    used(4, 40.0 + BLACKOUT_S, view, n0=0.6, n1=0.4, n2=0.22)
    assert policy.value(view, view.nodes[N2]) == 0.22


def test_what_is_very_old_says_nothing() -> None:
    view, policy = used(n0=0.6, n1=0.4, n2=0.9), LeastLoaded()
    used(2, EXPIRES_S + 1.0, view, n0=0.6, n1=0.4)
    assert policy.value(view, view.nodes[N2]) == 0.5


def test_a_restarted_node_begins_anew() -> None:
    view, policy = used(n0=0.6, n1=0.4, n2=0.9), LeastLoaded()
    policy.value(view, view.nodes[N2])
    view.reported(node_report("n2", life=2, utilisation={"cpu": 0.01}), 20.0)
    view.wake(20.0)
    assert policy.value(view, view.nodes[N2]) == 0.5
