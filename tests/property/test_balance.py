"""Laws of the planner and the pacer."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringway.core.balance.config import BalanceConfig
from ringway.core.balance.pace import MoveLimits, Pacer, moves_per_s
from ringway.core.balance.plan import NodeSnapshot, Plan, Quota, fair_shares, plan_by_key, plan_by_load
from ringway.core.load import LoadView
from ringway.core.placement.two_choices import TwoChoices
from ringway.types import NodeName
from sample import equal, name, rng, view_of

CONFIG = BalanceConfig()


@st.composite
def clusters(draw: st.DrawFn, nodes_max: int = 6, load_max: int = 400) -> list[NodeSnapshot]:
    """Some nodes, of which the first is active; places and handshakes may make a load more than can be moved."""
    count = draw(st.integers(1, nodes_max))
    nodes = []
    for index in range(count):
        load = draw(st.integers(0, load_max))
        nodes.append(
            NodeSnapshot(
                name=name(index),
                weight=float(draw(st.integers(1, 8))),
                load=load,
                movable=load,
                active=index == 0 or draw(st.sampled_from([True, True, True, False])),
            )
        )
    return nodes


def applied(nodes: Sequence[NodeSnapshot], plan: Plan) -> list[NodeSnapshot]:
    """The nodes after every move of `plan`."""
    change: Counter[NodeName] = Counter()
    for quota in plan.quotas:
        change[quota.donor] -= quota.count
        change[quota.target] += quota.count
    return [
        replace(node, load=node.load + change[node.name], movable=node.movable + change[node.name]) for node in nodes
    ]


def shares(nodes: Sequence[NodeSnapshot]) -> dict[NodeName, Fraction]:
    total = sum(node.load for node in nodes)
    weight = sum(int(node.weight) for node in nodes if node.active)
    return {node.name: Fraction(total * int(node.weight), weight) if node.active else Fraction(0) for node in nodes}


def fewest_moves(nodes: Sequence[NodeSnapshot]) -> int:
    """Try every way to round the shares; count what is above them. Slow, and nothing like the planner."""
    total = sum(node.load for node in nodes)
    options = [
        (math.floor(share), math.floor(share) + 1) if node.active else (0,)
        for node, share in zip(nodes, shares(nodes).values(), strict=True)
    ]
    return min(
        sum(max(0, node.load - held) for node, held in zip(nodes, way, strict=True))
        for way in product(*options)
        if sum(way) == total
    )


@given(clusters())
def test_a_plan_is_the_fewest_moves_that_balance(nodes: list[NodeSnapshot]) -> None:
    assert plan_by_load(nodes, CONFIG, until=0.0).moves == fewest_moves(nodes)


@given(clusters(nodes_max=30))
def test_after_a_plan_every_node_is_within_one_connection_of_its_share(nodes: list[NodeSnapshot]) -> None:
    fair = shares(nodes)
    for node in applied(nodes, plan_by_load(nodes, CONFIG, until=0.0)):
        assert abs(node.load - fair[node.name]) <= 1 if node.active else node.load == 0


@given(clusters(nodes_max=30), st.booleans())
def test_no_node_both_gives_and_takes_and_pairs_are_few(nodes: list[NodeSnapshot], within_band: bool) -> None:
    plan = plan_by_load(nodes, CONFIG, until=0.0 if within_band else None)
    donors = {quota.donor for quota in plan.quotas}
    targets = {quota.target for quota in plan.quotas}
    assert not donors & targets
    assert not targets & {node.name for node in nodes if not node.active}
    assert len(plan.quotas) <= max(0, len(donors) + len(targets) - 1)
    assert all(quota.count > 0 for quota in plan.quotas)
    assert len({(quota.donor, quota.target) for quota in plan.quotas}) == len(plan.quotas)


@given(clusters(nodes_max=30), st.booleans())
def test_a_plan_carried_out_leaves_nothing_to_plan(nodes: list[NodeSnapshot], within_band: bool) -> None:
    after = applied(nodes, plan_by_load(nodes, CONFIG, until=0.0 if within_band else None))
    if within_band:
        assert plan_by_load(after, CONFIG, until=0.0).quotas == ()
    assert plan_by_load(after, CONFIG).quotas == ()


@given(clusters(nodes_max=10), st.data())
def test_a_plan_carried_out_in_part_never_overshoots(nodes: list[NodeSnapshot], data: st.DataObject) -> None:
    """What is planned next goes on in the same direction: no target of before gives, no donor takes."""
    plan = plan_by_load(nodes, CONFIG, until=0.0)
    done = [replace(quota, count=data.draw(st.integers(0, quota.count))) for quota in plan.quotas]
    later = plan_by_load(applied(nodes, Plan(tuple(done), "part")), CONFIG, until=0.0)
    assert later.moves == plan.moves - sum(quota.count for quota in done)
    assert {quota.donor for quota in later.quotas} <= {quota.donor for quota in plan.quotas}
    assert {quota.target for quota in later.quotas} <= {quota.target for quota in plan.quotas}


@given(clusters(nodes_max=10), st.data())
def test_places_counted_twice_send_nobody_back(nodes: list[NodeSnapshot], data: st.DataObject) -> None:
    """Loads above what a node holds (arrivals whose donor has not heard of them) never make it a donor."""
    balanced = applied(nodes, plan_by_load(nodes, CONFIG, until=0.0))
    seen = [replace(node, load=node.load + data.draw(st.integers(0, 200))) for node in balanced]
    fair = shares(seen)
    for quota in plan_by_load(seen, CONFIG, until=0.0).quotas:
        donor = next(node for node in balanced if node.name == quota.donor)
        assert donor.load - quota.count >= fair[quota.donor] - 1 or not donor.active


@given(st.integers(2, 30), st.integers(0, 5000), st.data())
def test_nothing_is_planned_inside_the_dead_band(count: int, fair: int, data: st.DataObject) -> None:
    off = int(max(CONFIG.start_above * fair, math.sqrt(fair)) * 0.99)
    loads = [fair + data.draw(st.integers(-off, off)) for _ in range(count - 1)]
    loads.append(fair * count - sum(loads))  # the last one makes the average right, if it can
    if not abs(loads[-1] - fair) <= off:
        return
    nodes = [NodeSnapshot(name(index), 1.0, load, load, True) for index, load in enumerate(loads)]
    assert plan_by_load(nodes, CONFIG).quotas == ()


@given(st.dictionaries(st.sampled_from("abcde"), st.dictionaries(st.sampled_from("abcde"), st.integers(0, 50))))
def test_every_misplaced_key_is_planned_once(counted: dict[NodeName, dict[NodeName, int]]) -> None:
    planned = {(quota.donor, quota.target): quota.count for quota in plan_by_key(counted).quotas}
    assert planned == {
        (donor, target): count
        for donor, targets in counted.items()
        for target, count in targets.items()
        if count and donor != target
    }


# -- limits and zones


@st.composite
def limited(draw: st.DrawFn) -> list[NodeSnapshot]:
    """Nodes with rooms, zones, weights of zero, and clients that stay for now."""
    nodes = draw(clusters(nodes_max=8, load_max=60))
    return [
        replace(
            node,
            weight=draw(st.sampled_from([0.0, node.weight, node.weight, node.weight / 3])),
            room=draw(st.one_of(st.just(math.inf), st.integers(0, 30))),
            zone=draw(st.sampled_from(["", "east", "west"])),
            cooling=draw(st.integers(0, node.load)) if draw(st.booleans()) else 0,
        )
        for node in nodes
    ]


untils = st.sampled_from([None, 0.0, 0.03])


@given(limited(), untils)
def test_nobody_gives_more_than_may_move_or_gets_more_than_it_may_hold(nodes: list[NodeSnapshot], until: float) -> None:
    plan = plan_by_load(nodes, CONFIG, until=until)
    given_, taken = Counter[NodeName](), Counter[NodeName]()
    for quota in plan.quotas:
        assert quota.count > 0
        given_[quota.donor] += quota.count
        taken[quota.target] += quota.count
    for node in nodes:
        assert given_[node.name] <= node.movable - node.cooling
        assert taken[node.name] <= node.room
        assert not (given_[node.name] and taken[node.name])
        assert not taken[node.name] or (node.active and node.weight > 0)


@given(limited())
def test_whole_shares_add_up_and_nobody_has_more_than_it_may_hold(nodes: list[NodeSnapshot]) -> None:
    active = [node for node in nodes if node.active]
    if not any(node.weight > 0 for node in active):
        return
    total = sum(node.load for node in nodes)
    shares = fair_shares(active, total)
    most = sum(node.most for node in active if node.weight > 0)
    assert sum(shares.values()) == min(total, most)
    for node in active:
        assert 0 <= shares[node.name] <= (node.most if node.weight > 0 else 0)
    level = max((shares[node.name] - 1) / node.weight for node in active if node.weight > 0)
    for node in active:  # who has less than others, by weight, has all that it may
        assert node.weight == 0 or shares[node.name] == node.most or (shares[node.name] + 1) / node.weight >= level


@given(clusters(nodes_max=12), st.data())
def test_zones_change_who_moves_where_but_not_how_many(nodes: list[NodeSnapshot], data: st.DataObject) -> None:
    zoned = [replace(node, zone=data.draw(st.sampled_from(["east", "west"]))) for node in nodes]
    assert plan_by_load(zoned, CONFIG, until=0.0).moves == plan_by_load(nodes, CONFIG, until=0.0).moves
    plan = plan_by_load(zoned, CONFIG, until=CONFIG.stop_below)
    assert plan.moves <= plan_by_load(nodes, CONFIG, until=0.0).moves
    if plan.quotas:
        fair = shares(zoned)
        for node in applied(zoned, plan):
            whole = (
                fair[node.name] + 1
            )  # the share in whole connections is less than that, and what is tolerated a part
            off = abs(node.load - fair[node.name])
            assert off <= CONFIG.zone_tolerance * whole + 1 if node.active else node.load == 0


@given(
    st.dictionaries(st.sampled_from("abcde"), st.dictionaries(st.sampled_from("abcde"), st.integers(0, 50))),
    st.dictionaries(st.sampled_from("abcde"), st.integers(0, 60)),
)
def test_keys_fill_the_room_of_their_owners_and_no_more(
    counted: dict[NodeName, dict[NodeName, int]], room: dict[NodeName, int]
) -> None:
    taken = Counter[NodeName]()
    for quota in plan_by_key(counted, room).quotas:
        assert 0 < quota.count <= counted[quota.donor][quota.target]
        taken[quota.target] += quota.count
    for owner in "abcde":
        wanted = sum(targets.get(NodeName(owner), 0) for donor, targets in counted.items() if donor != owner)
        assert taken[NodeName(owner)] == min(wanted, room.get(NodeName(owner), wanted))


# -- noise


@pytest.mark.parametrize(("nodes", "fair"), [(2, 50), (3, 100), (10, 100), (10, 2000), (50, 200)])
def test_random_placement_alone_hardly_ever_starts_a_balance(nodes: int, fair: int) -> None:
    """K = n * fair, placed quite at random (the worst policy): at most 1.5 % of 1,000 draws are outside the band."""
    chance = rng(nodes * fair)
    started = 0
    draws = 300 if nodes * fair > 5000 else 1000
    for _ in range(draws):
        loads = Counter(chance.choices(range(nodes), k=nodes * fair))
        standings = [NodeSnapshot(name(index), 1.0, loads[index], loads[index], True) for index in range(nodes)]
        started += bool(plan_by_load(standings, CONFIG).quotas)
    assert started <= 0.015 * draws


def test_churn_at_equilibrium_moves_nobody() -> None:
    """An hour of a cluster at rest: 10 nodes, 2,000 connections that live 10 minutes, two choices, a look a second."""
    chance = rng(4)
    view: LoadView = view_of(equal(10), loads={name(index): 200 for index in range(10)})
    policy = TwoChoices()
    nodes = list(view.nodes.values())
    for _ in range(3600):
        for node in nodes:
            ended = sum(chance.random() < 1 / 600 for _ in range(node.connections))
            node.connections -= ended
            node.refresh()
        for _ in range(3 + (chance.random() < 1 / 3)):
            chosen = policy.pick(view, None, chance, 1).nodes[0]
            chosen.connections += 1
            chosen.refresh()
        standings = [NodeSnapshot(node.name, 1.0, node.load, node.connections, True) for node in nodes]
        assert plan_by_load(standings, CONFIG).quotas == ()


# -- pace

pairs = st.lists(
    st.tuples(st.integers(0, 9), st.integers(10, 14), st.integers(1, 3000)), min_size=1, max_size=40,
    unique_by=lambda pair: pair[:2],
)  # fmt: skip


@given(
    pairs,
    st.integers(1, 50_000),
    st.dictionaries(st.integers(10, 14).map(name), st.floats(0.5, 400)),
    st.dictionaries(st.integers(0, 9).map(name), st.floats(0.5, 400)),
    st.sampled_from([20.0, math.inf]),
    st.sampled_from([0.25, 1.0, 1.7]),
)
def test_orders_keep_budget_and_limits_in_every_window(
    drawn: list[tuple[int, int, int]],
    connections: int,
    accept: dict[NodeName, float],
    gives: dict[NodeName, float],
    donor_most: float,
    dt: float,
) -> None:
    """A plan carried out to its end: in any window the budget and each node's limit are kept, but for a fraction."""
    left = {(name(donor), name(target)): count for donor, target, count in drawn}
    bounds = MoveLimits(
        moves_per_s(connections, 15, CONFIG),
        donor=donor_most,
        donors=gives,
        targets={name: CONFIG.target_share * at for name, at in accept.items()},
    )
    pacer = Pacer()
    history: list[Counter[NodeName]] = []
    donated: list[Counter[NodeName]] = []
    for _ in range(60):
        plan = Plan(tuple(Quota(*pair, count) for pair, count in left.items() if count), "test")
        ordered: Counter[NodeName] = Counter()
        given: Counter[NodeName] = Counter()
        for order in pacer.orders(plan, bounds, dt):
            assert 0 < order.count <= left[order.donor, order.target]
            left[order.donor, order.target] -= order.count
            ordered[order.target] += order.count
            given[order.donor] += order.count
        history.append(ordered)
        donated.append(given)
    rate = moves_per_s(connections, 15, CONFIG)
    for length in (1, 2, 7, 60):
        for start in range(len(history) - length + 1):
            window = sum(history[start : start + length], Counter[NodeName]())
            assert sum(window.values()) <= rate * dt * length + 1 + 1e-6
            for target, count in window.items():
                limit = accept.get(target, math.inf) * CONFIG.target_share * dt * length
                assert count <= limit + 1 + 1e-6
            for donor, count in sum(donated[start : start + length], Counter[NodeName]()).items():
                assert count <= min(donor_most, gives.get(donor, math.inf)) * dt * length + 1 + 1e-6


@given(pairs, st.integers(1, 50_000), st.sampled_from([0.25, 1.0, 1.7]))
def test_the_budget_is_used_and_fractions_are_not_lost(
    drawn: list[tuple[int, int, int]], connections: int, dt: float
) -> None:
    """While there is enough to move, 100 intervals move 100 budgets, but for less than one connection a pair."""
    plan = Plan(tuple(Quota(name(donor), name(target), 100_000) for donor, target, _ in drawn), "test")
    pacer, bounds = Pacer(), MoveLimits(moves_per_s(connections, 15, CONFIG))
    ordered = sum(order.count for _ in range(100) for order in pacer.orders(plan, bounds, dt))
    assert ordered == pytest.approx(100 * moves_per_s(connections, 15, CONFIG) * dt, abs=len(drawn) + 1)
