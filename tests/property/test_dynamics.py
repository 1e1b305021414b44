"""Laws of what several gateways do together, in time: no herd, no flood, no drift. Rates and n are stated with each."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from property.crowd import BY_LOAD, Crowd, Server
from ringway.core.load import LoadView
from ringway.core.load.slow_start import RATE_BURST_S, SHARE_BURST
from ringway.types import Issuer, NodeName
from sample import SPECS, equal, gateway_report, make_policy, name, node_report, view_of

# -- herds


@pytest.mark.parametrize("spec", ["round-robin", *BY_LOAD])
@pytest.mark.parametrize(("shared", "peak_max", "spread_max"), [(True, 150, 50), (False, 300, 500)])
def test_stale_reports_make_no_herd(spec: str, shared: bool, peak_max: int, spread_max: int) -> None:
    """4 gateways, 2,000 arrivals a second, 20 nodes whose reports come each 5 s; fair is 100 a second and node.

    With the places that gateways hold, told each 0.2 s: at most 1.5 times fair in any second. Where gateways do not
    hear of each other at all: at most 3 times. Without places there would be a herd, as the next test shows.
    """
    crowd = Crowd(spec, {name(index): Server() for index in range(20)})
    arrivals = crowd.run(0.0, 11.0, 2000, period_s=5.0, shared=shared)
    assert max(arrivals.peak(node) for node in crowd.nodes) <= peak_max
    held = [server.connections for server in crowd.nodes.values()]
    assert max(held) - min(held) <= spread_max


def test_without_places_there_would_be_a_herd() -> None:
    """That the test above can fail: who goes by reports alone sends a second's arrivals to one node."""
    crowd = Crowd("least-connected", {name(index): Server() for index in range(20)})
    crowd.nodes_report(0.0)
    arrived: Counter[NodeName] = Counter()
    for number in range(2000):
        nodes = crowd.views[number % 4].eligible
        arrived[min(nodes, key=lambda node: (node.connections + 1) / node.weight).name] += 1
    assert max(arrived.values()) == 2000


# -- a new node


@pytest.mark.parametrize("spec", BY_LOAD)
@pytest.mark.parametrize("accept_per_s", [100.0, 10_000.0])
def test_a_new_node_is_not_flooded(spec: str, accept_per_s: float) -> None:
    """4 gateways, 1,000 arrivals a second, 10 nodes with 2,000 each and an empty one; fair is 91 a second.

    In no second does it get more than half of what it can take, nor than three times its fair share; and the burst.
    """
    nodes = {name(index): Server(2000, {"accept_per_s": 1000.0}) for index in range(10)}
    crowd = Crowd(spec, nodes)
    crowd.run(0.0, 1.0, 1000)
    newcomer = name(10)
    nodes[newcomer] = Server(0, {"accept_per_s": accept_per_s})
    arrivals = crowd.run(1.0, 5.0, 1000)
    fair = 1000 / 11
    interval_s = 4 / (0.5 * accept_per_s)
    by_rate = 0.5 * accept_per_s + 4 * (max(1.0, RATE_BURST_S / interval_s) + 1)
    by_share = 3 * fair + 4 * (SHARE_BURST + 1)
    peak = arrivals.peak(newcomer)
    assert peak <= min(by_rate, by_share)
    assert peak >= 0.5 * min(fair, 0.5 * accept_per_s)


def test_an_empty_node_fills_in_seconds() -> None:
    """The same, by least connected: in balance after 7 s, where a flood would have taken 2 and round robin for ever."""
    nodes = {name(index): Server(2000) for index in range(10)}
    crowd = Crowd("least-connected", nodes)
    crowd.run(0.0, 1.0, 1000)
    nodes[name(10)] = Server()
    crowd.run(1.0, 15.0, 1000)
    held = [server.connections for server in nodes.values()]
    assert max(held) <= 1.05 * min(held)


@pytest.mark.parametrize("spec", BY_LOAD)
def test_where_all_are_paced_they_share_by_what_they_can_take_and_nobody_is_refused(spec: str) -> None:
    """Four nodes that take 100 to 400 a second get 3,000; then a fifth joins, and then it is over."""
    nodes = {name(index): Server(0, {"accept_per_s": 100.0 * (index + 1)}) for index in range(4)}
    crowd = Crowd(spec, nodes, gateways=2)
    arrivals = crowd.run(0.0, 3.0, 3000)
    for index in range(4):
        assert arrivals.counts[name(index)] == pytest.approx(9000 * (index + 1) / 10, rel=0.1)
    nodes[name(4)] = Server(0, {"accept_per_s": 500.0})
    arrivals = crowd.run(3.0, 5.0, 3000)
    assert arrivals.counts[name(4)] == pytest.approx(6000 * 5 / 15, rel=0.1)
    assert arrivals.peak(name(4)) <= 1.2 * 1000
    for view in crowd.views:
        view.wake(6.0)
        assert all(node.ready for node in view.eligible)


# -- the age of reports


@given(st.lists(st.tuples(st.floats(0.5, 4.0), st.booleans()), min_size=1, max_size=8), st.sampled_from(SPECS))
def test_who_is_silent_gets_nobody_unless_most_are(nodes: list[tuple[float, bool]], spec: str) -> None:
    view = LoadView(Issuer("aaaaaaaa"))
    for index, (weight, _) in enumerate(nodes):
        view.reported(node_report(f"n{index}", weight=weight), 0.0)
    for index, (weight, silent) in enumerate(nodes):
        if not silent:
            view.reported(node_report(f"n{index}", 2, weight=weight), 6.0)
    view.tick(6.0)
    fresh = sum(weight for weight, silent in nodes if not silent)
    panic = fresh < 0.5 * sum(weight for weight, _ in nodes)
    policy, chance = make_policy(spec, b"s"), Random(1)
    chosen = set()
    for number in range(30):
        ranked = policy.pick(view, b"%d" % number, chance, 3).nodes
        chosen |= {node.name for node in ranked}
        view.place(ranked[0], 6.0)
    assert view.panic == panic
    if not panic:
        assert not chosen & {f"n{index}" for index, (_, silent) in enumerate(nodes) if silent}


# -- counters


class _Books:
    """Two gateways, five nodes, and clients that come, fail, go elsewhere, never come, and leave."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.nodes = {name(index): Server() for index in range(5)}
        self.crowd = Crowd("two-choices", self.nodes, gateways=2, seed=seed)
        self.now = 0.0
        self.report()

    def report(self) -> None:
        self.crowd.nodes_report(self.now)
        self.crowd.gateways_report(self.now)
        for view in self.crowd.views:
            view.tick(self.now)

    def event(self) -> None:
        self.now += 0.001
        gateway = self.chance.randrange(2)
        view, policy = self.crowd.views[gateway], self.crowd.policies[gateway]
        what = self.chance.random()
        if what < 0.45:
            self.crowd.arrive(self.now)
        elif what < 0.6:  # fails, and is tried elsewhere
            view.wake(self.now)
            first, second, *_ = policy.pick(view, None, self.chance, 3).nodes
            view.place(first, self.now)
            view.unplace(first)
            view.place(second, self.now)
            self._arrived(second.name, gateway)
        elif what < 0.65:  # is sent, and never comes
            view.place(policy.pick(view, None, self.chance, 1).nodes[0], self.now)
        elif what < 0.67:  # is given up twice, though it was sent once
            node = policy.pick(view, None, self.chance, 1).nodes[0]
            view.place(node, self.now)
            view.unplace(node)
            view.unplace(node)
        else:
            server = self.nodes[name(self.chance.randrange(5))]
            server.connections = max(0, server.connections - 1)
        if self.chance.random() < 0.003:
            self.report()

    def _arrived(self, node: NodeName, gateway: int) -> None:
        self.nodes[node].connections += 1
        self.nodes[node].taken[self.crowd.lives[gateway]] += 1

    def settle(self) -> None:
        """Let the places end of those that never come, and everybody report."""
        self.now += 10.0
        self.report()
        self.report()


def test_nothing_drifts() -> None:
    """100,000 random connects, closes, failures, retries and no-shows: after a period the view is what nodes hold."""
    books = _Books(4)
    for _ in range(5):
        for _ in range(20_000):
            books.event()
        books.settle()
        truth = {node: server.connections for node, server in books.nodes.items()}
        for view in books.crowd.views:
            assert {node.name: node.load for node in view.eligible} == truth
            assert view.total == sum(truth.values())


def test_a_gateway_that_was_killed_knows_everything_again_after_a_period() -> None:
    books = _Books(5)
    for _ in range(5000):
        books.event()
    other, successor = books.crowd.views[1], LoadView(Issuer("ffffffff"))
    books.crowd.views[0] = successor
    books.crowd.lives[0] = Issuer("ffffffff")
    books.report()
    books.report()
    places = {node.name: node.own for node in other.eligible}  # of the one that lives, in use by both
    for node in successor.eligible:
        assert node.load == books.nodes[node.name].connections + places[node.name]
    other.forgotten(gateway_report("g00000000"))
    books.settle()
    assert [node.load for node in successor.eligible] == [node.load for node in other.eligible]


@pytest.mark.parametrize("spec", SPECS)
def test_another_policy_finds_the_same_load(spec: str) -> None:
    """Load is the view's: nothing of it is in a policy that could be lost when it is exchanged."""
    view = view_of(equal(6))
    chance = Random(1)
    for policy in (make_policy("least-connected", b"s"), make_policy(spec, b"s")):
        for number in range(30):
            view.place(policy.pick(view, b"%d" % number, chance, 1).nodes[0], 0.0)
    assert view.total == sum(node.own for node in view.eligible) == 60


# -- the algorithm stays the same


def test_nobodys_state_is_lost_when_another_leaves() -> None:
    """Not even when it is the one that was there longest."""
    view = view_of(equal(6))
    chance, policy = Random(2), make_policy("least-connected", b"")
    for number in range(100):
        view.wake(number / 100)
        view.place(policy.pick(view, None, chance, 1).nodes[0], number / 100)
    view.nodes[name(3)].response.observe(0.02, 0.5)
    before = {node.name: (node.load, node.turn, node.accept, node.response.seen_s) for node in view.eligible}
    view.forgotten(node_report("n0"))
    view.reported(gateway_report("g9"), 1.0)
    assert {node.name: (node.load, node.turn, node.accept, node.response.seen_s) for node in view.eligible} == {
        kept: state for kept, state in before.items() if kept != "n0"
    }


@pytest.mark.parametrize("spec", ["two-choices", "least-loaded", "least-response-time", "score:call=sample:fullness"])
def test_a_node_that_warms_or_weighs_less_is_chosen_by_the_same_rule(spec: str) -> None:
    """It is drawn as its weight says, at any age, and the best of two is taken: never another algorithm."""
    nodes = equal(5) | {name(0): 0.6}
    view = view_of(nodes)
    view.reported(node_report("n5"), 9.9)
    view.wake(10.0)
    policy, chance = make_policy(spec, b""), Random(6)
    drawn: Counter[str] = Counter()
    for _ in range(6000):
        pick = policy.pick(view, None, chance, 1)
        values = [policy.value(view, node) for node in pick.compared]
        assert len(pick.compared) == 2
        assert policy.value(view, pick.nodes[0]) <= min(values) * 1.05
        drawn.update(node.name for node in pick.compared)
    total = sum(nodes.values()) + 1.0
    for node in view.eligible:
        share = node.weight / total
        others = [other.weight / total for other in view.eligible if other is not node]
        expected = 6000 * (share + sum(other * share / (1 - other) for other in others))
        assert abs(drawn[node.name] - expected) <= 4.5 * (expected * (1 - expected / 6000)) ** 0.5
