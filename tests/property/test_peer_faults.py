"""Faults of well-known balancers, found by reading or porting them, are not in ours."""

import math
from collections import Counter
from random import Random

import pytest

from property.crowd import BY_LOAD, Crowd, Server
from ringway.core.load import LoadView, NodeLoad
from ringway.core.load.response import TAU_S
from ringway.core.placement.least_connected import LeastConnected
from ringway.core.placement.least_response_time import LeastResponseTime
from ringway.core.placement.two_choices import TwoChoices
from sample import equal, make_policy, name, rng, view_of


def test_the_least_connected_is_the_least_connected() -> None:
    """Caddy's least_conn keeps candidates from before: with 500, 400, ... 100 connections each of five gets 20 %."""
    view = view_of(equal(5), loads={f"n{index}": 500 - 100 * index for index in range(5)})
    policy, chance = LeastConnected(), rng()
    assert {policy.pick(view, None, chance, 1).nodes[0].name for _ in range(500)} == {"n4"}


@pytest.mark.parametrize("spec", ["two-choices", "least-loaded", "score:call=sample:fullness"])
def test_of_two_nodes_the_worse_is_never_taken(spec: str) -> None:
    """Caddy's random_choose 2, and Envoy's with two hosts, take the worse in 25 %: pairs are drawn with repeats."""
    view = view_of(equal(2), loads={"n0": 50, "n1": 100})
    policy, chance = make_policy(spec, b""), rng()
    assert {policy.pick(view, None, chance, 1).nodes[0].name for _ in range(1000)} == {"n0"}


def test_pairs_are_not_neighbours_more_often_than_others() -> None:
    """Traefik's p2c draws neighbours among five in 60 %; half of all ten pairs are such."""
    view, policy, chance = view_of(equal(5)), TwoChoices(), rng(4)
    draws, neighbours = 20_000, 0
    for _ in range(draws):
        first, second = (view.eligible.index(node) for node in policy.pick(view, None, chance, 2).nodes)
        neighbours += (first - second) % 5 in (1, 4)
    assert abs(neighbours - draws / 2) <= 4.5 * math.sqrt(draws / 4)


@pytest.mark.parametrize("spec", BY_LOAD)
def test_a_node_of_which_nothing_is_known_does_not_get_everybody(spec: str) -> None:
    """Traefik's leasttime takes "no sample" for zero: 500 of 500 go to that node. Ours gets twice its share at most."""
    nodes = {name(index): Server(100, {"utilisation": {"cpu": 0.5}} if index else {}) for index in range(5)}
    crowd = Crowd(spec, nodes, gateways=1)
    crowd.nodes_report(0.0)
    for node in crowd.views[0].eligible[1:]:
        node.response.observe(0.02, 0.0)
    arrivals = crowd.run(0.0, 1.0, 500)
    assert arrivals.counts[name(0)] <= 2 * 100


def test_a_node_that_is_ten_times_slower_gets_next_to_nobody() -> None:
    """Ribbon's weights by response time are too flat: a server that is ten times slower still gets 53 % of its share.

    10 nodes, 200 handshakes a second of 10 ms, and 100 ms at one; clients stay for 5 s. At most 25 % after three times
    the averages' time constant.
    """
    crowd = Crowd("least-response-time", {name(index): Server() for index in range(10)}, gateways=2)
    chance = Random(3)
    leaving: list[tuple[float, NodeLoad]] = []

    def handshake(view: LoadView, node: NodeLoad, now: float) -> None:
        node.response.observe((0.1 if node.name == "n0" else 0.01) * chance.lognormvariate(0.0, 0.2), now)
        leaving.append((now + 5.0, node))
        while leaving and leaving[0][0] <= now:
            crowd.nodes[leaving.pop(0)[1].name].connections -= 1

    crowd.placed = handshake
    crowd.run(0.0, 3 * TAU_S, 200)
    arrivals = crowd.run(3 * TAU_S, 5 * TAU_S, 200)
    fair = 200 * 2 * TAU_S / 10
    assert arrivals.counts[name(0)] <= 0.25 * fair
    assert max(arrivals.counts.values()) <= 1.5 * fair


def test_an_hour_long_connection_is_not_an_hour_long_answer() -> None:
    """APISIX's ewma and nginx's least_time last_byte time the whole exchange, so who holds clients looks slow."""
    view = view_of(equal(2))
    for node in view.eligible:
        node.response.observe(0.01, 0.0)
    holder = view.eligible[0]
    view.place(holder, 0.0)
    view.arrived(holder)
    view.wake(3600.0)
    policy = LeastResponseTime()
    before = policy.value(view, holder)
    view.departed(holder)
    assert before == policy.value(view, holder) == policy.value(view, view.eligible[1]) == 0.01


@pytest.mark.parametrize("spec", ["least-connected", "weighted-round-robin"])
def test_weights_count_on_idle_nodes(spec: str) -> None:
    """HAProxy's leastconn compares nothing while nobody is connected: the first come regardless of weights."""
    view = view_of({"a": 1.0, "b": 4.0})
    policy, chance = make_policy(spec, b""), rng()
    for _ in range(5):
        view.place(policy.pick(view, None, chance, 1).nodes[0], 0.0)
    assert [node.load for node in view.eligible] == [1, 4]


@pytest.mark.parametrize("spec", BY_LOAD)
def test_a_weight_above_two_of_n_counts_in_full(spec: str) -> None:
    """Two uniform draws of ten give a node of 8/17 of all weight 19.9 %: it is not drawn more often."""
    view = view_of(equal(10) | {name(0): 8.0})
    policy, chance = make_policy(spec, b""), rng(9)
    counts: Counter[str] = Counter()
    for number in range(17_000):
        view.wake(number / 100)
        node = policy.pick(view, None, chance, 1).nodes[0]
        view.place(node, number / 100)
        counts[node.name] += 1
    assert counts["n0"] == pytest.approx(8000, rel=0.005)


def test_unequal_weights_do_not_change_the_algorithm() -> None:
    """Envoy's least request becomes weighted round robin as soon as weights differ, as while a host warms up."""
    view = view_of(equal(5) | {name(0): 0.99}, loads={"n3": 1000})
    policy, chance = TwoChoices(), rng()
    assert "n3" not in {policy.pick(view, None, chance, 1).nodes[0].name for _ in range(2000)}
