"""Laws of the policies: fidelity to weights, evenness, and no herd on stale reports. K and n are stated with each."""

import math
from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringway.core.load import LoadView
from ringway.core.placement.least_connected import LeastConnected
from ringway.core.placement.policy import Policy
from ringway.core.placement.two_choices import TwoChoices
from ringway.core.placement.weighted_round_robin import WeightedRoundRobin
from ringway.types import NodeName
from sample import SPECS, equal, make_policy, name, node_report, rng, view_of

weights = st.floats(0.1, 100.0)
weighted = st.lists(weights, min_size=1, max_size=12).map(lambda drawn: {name(i): w for i, w in enumerate(drawn)})


def place(policy: Policy, view: LoadView, count: int, chance: Random) -> None:
    for number in range(count):
        view.place(policy.pick(view, b"%d" % number, chance, 1).nodes[0], 0.0)


@given(weighted, st.sampled_from(SPECS), st.integers(1, 15), st.data())
def test_ranks_are_distinct_active_and_at_most_as_many_as_asked_for(
    nodes: dict[NodeName, float], made: str, count: int, data: st.DataObject
) -> None:
    view = view_of(nodes)
    draining = data.draw(st.sets(st.sampled_from(sorted(nodes)), max_size=len(nodes) - 1))
    for node in draining:
        view.reported(node_report(node, 2, draining=True, weight=nodes[node]), 0.0)
    policy, chance = make_policy(made, b"s"), rng()
    for number in range(10):
        ranked = [node.name for node in policy.pick(view, b"%d" % number, chance, count).nodes]
        most = min(count, len(nodes) - len(draining))
        assert len(ranked) == len(set(ranked))
        assert (
            1 <= len(ranked) <= most if policy.table else len(ranked) == most
        )  # by key: as many as are below their cap
        assert not draining & set(ranked)
        view.place(view.nodes[ranked[0]], 0.0)


# -- random two choices


def test_two_choices_draws_every_pair_as_often_as_its_weights_say() -> None:
    """60,000 draws of ten nodes with weights 1 to 5, against sampling by weight without replacement: chi-square."""
    nodes = {name(index): 1.0 + index % 5 for index in range(10)}
    view, policy, chance = view_of(nodes), TwoChoices(), rng(11)
    draws = 60_000
    seen = Counter(frozenset(node.name for node in policy.pick(view, None, chance, 2).nodes) for _ in range(draws))
    total = sum(nodes.values())
    chi_square = 0.0
    pairs = 0
    for first in nodes:
        for second in nodes:
            if first < second:
                one, other = nodes[first] / total, nodes[second] / total
                expected = draws * one * other * (1 / (1 - one) + 1 / (1 - other))
                chi_square += (seen[frozenset((first, second))] - expected) ** 2 / expected
                pairs += 1
    freedom = pairs - 1
    assert sum(seen.values()) == draws
    assert all(len(pair) == 2 for pair in seen)
    assert chi_square <= freedom + 4.5 * math.sqrt(2 * freedom)


@given(st.lists(st.tuples(st.floats(0.1, 10), st.integers(0, 50)), min_size=2, max_size=10), st.integers(0, 1000))
def test_two_choices_never_takes_the_worse_of_the_pair(nodes: list[tuple[float, int]], seed: int) -> None:
    view = view_of(
        {name(index): weight for index, (weight, _) in enumerate(nodes)},
        loads={name(index): load for index, (_, load) in enumerate(nodes)},
    )
    policy, chance = TwoChoices(), rng(seed)
    for _ in range(20):
        chosen, loser = policy.pick(view, None, chance, 2).nodes
        assert chosen.full <= loser.full


def test_two_choices_fills_twenty_nodes_evenly() -> None:
    """K = 20,000, n = 20, fresh information: nobody more than 5 above the average."""
    view = view_of(equal(20))
    place(TwoChoices(), view, 20_000, rng(5))
    assert max(node.load for node in view.eligible) - 1000 <= 5


@pytest.mark.parametrize("heavy", [1.0, 3.0, 9.0])
@pytest.mark.parametrize("policy", [TwoChoices, LeastConnected, WeightedRoundRobin])
def test_weights_are_honoured_within_half_a_percent(policy: type[Policy], heavy: float) -> None:
    """K = 60,000, n = 10; with 9.0 one node has half of all weight, more than 2/n, where uniform draws fail."""
    nodes = equal(10) | {name(0): heavy}
    view = view_of(nodes)
    place(policy(), view, 60_000, rng(3))
    total = sum(nodes.values())
    for node in view.eligible:
        fair = 60_000 * node.weight / total
        assert abs(node.load - fair) / fair <= 0.005


# -- least connected


@given(st.lists(st.tuples(weights, st.integers(0, 60)), min_size=1, max_size=10), st.integers(1, 300))
def test_least_connected_fills_like_water(nodes: list[tuple[float, int]], picks: int) -> None:
    """Whatever the start: no node that received anything is fuller than another by more than one connection."""
    view = view_of(
        {name(index): weight for index, (weight, _) in enumerate(nodes)},
        loads={name(index): load for index, (_, load) in enumerate(nodes)},
    )
    place(LeastConnected(), view, picks, rng())
    lowest_next = min(node.full for node in view.eligible)
    for node in view.eligible:
        if node.own:
            assert node.load / node.weight <= lowest_next + 1e-9


# -- round robin


@given(weighted, st.integers(0, 1000))
def test_round_robin_is_never_two_turns_off(nodes: dict[NodeName, float], seed: int) -> None:
    """For every prefix of 400 picks: |picks of a node - its part of the prefix| < 2."""
    view, policy, chance = view_of(nodes), WeightedRoundRobin(), rng(seed)
    total = sum(nodes.values())
    counts: Counter[NodeName] = Counter()
    for picked in range(1, 401):
        counts[policy.pick(view, None, chance, 1).nodes[0].name] += 1
        assert all(abs(counts[node] - picked * weight / total) < 2 for node, weight in nodes.items())


@pytest.mark.parametrize("seed", range(4))
def test_round_robin_is_never_two_turns_off_among_many(seed: int) -> None:
    """Sixty nodes of any weight, and one with half of all: where plain deadlines are furthest off."""
    chance = rng(seed)
    nodes = {name(index): chance.uniform(0.1, 100.0) for index in range(1, 60)}
    nodes[name(0)] = total = sum(nodes.values())
    view, policy = view_of(nodes), WeightedRoundRobin()
    counts: Counter[NodeName] = Counter()
    for picked in range(1, 1001):
        counts[policy.pick(view, None, chance, 1).nodes[0].name] += 1
        assert all(abs(counts[node] - picked * weight / (2 * total)) < 2 for node, weight in nodes.items())


@given(st.lists(st.integers(1, 9), min_size=1, max_size=10), st.integers(0, 1000))
def test_round_robin_is_exact_in_every_cycle(drawn: list[int], seed: int) -> None:
    nodes = {name(index): float(weight) for index, weight in enumerate(drawn)}
    view, policy, chance = view_of(nodes), WeightedRoundRobin(), rng(seed)
    for _ in range(3):
        counts = Counter(policy.pick(view, None, chance, 1).nodes[0].name for _ in range(sum(drawn)))
        assert counts == nodes
