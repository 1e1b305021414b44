"""Bounded load, on every table. Laws: the bound holds at every placement; who has room is found; affinity is kept."""

from collections import Counter, defaultdict
from itertools import accumulate
from math import ceil
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringway.core.hashing import TABLES, complete, make_table
from ringway.core.load import LoadView
from ringway.core.placement.catalog import make_policy
from ringway.core.placement.keyed import UNBOUNDED, Keyed, cap, room
from ringway.errors import ConfigError, NoNode
from ringway.types import NodeName
from sample import equal, node_report, rng, view_of

every_table = pytest.mark.parametrize("kind", TABLES)


def keyed(spec: str) -> Keyed:
    policy = make_policy(spec, b"secret")
    assert isinstance(policy, Keyed)
    return policy


def place(policy: Keyed, view: LoadView, key: bytes | None, chance: Random) -> tuple[NodeName, bool]:
    """Place one client as a gateway does; return its node, and whether that is the first of the key's order."""
    view.wake(0.0)
    pick = policy.pick(view, key, chance, 1)
    view.place(pick.nodes[0], 0.0)
    return pick.nodes[0].name, pick.nodes[0] is pick.compared[0]


def zipf(rooms: int, clients: int, chance: Random) -> list[bytes]:
    """The rooms of `clients`: the k-th room is as large as the first, divided by k."""
    parts = list(accumulate(1 / (index + 1) for index in range(rooms)))
    return [b"room-%d" % room for room in chance.choices(range(rooms), cum_weights=parts, k=clients)]


# Affinity.


@every_table
def test_a_key_goes_to_its_owner_and_then_along_its_order(kind: str) -> None:
    view, policy, table = view_of(equal(5)), keyed(kind), make_table(kind, b"secret")
    complete(table, {NodeName(node): 1.0 for node in equal(5)})
    policy.complete(view)
    for number in range(200):
        key = b"user-%d" % number
        pick = policy.pick(view, key, rng(number), 3)
        assert [node.name for node in pick.nodes] == list(table.ranked(key))[:3]
        assert policy.pick(view, key, rng(number), 9).nodes[0] is pick.nodes[0]


@every_table
def test_without_a_bound_neither_load_nor_pace_parts_a_key_from_its_owner(kind: str) -> None:
    view, policy = view_of(equal(5)), keyed(f"{kind}:c=0")
    assert len({place(policy, view, b"one room", rng()) for _ in range(2000)}) == 1
    full = next(node for node in view.nodes.values() if node.load)
    assert not full.ready  # it is paced: policies by load would pass it over
    view.set_gates({full.name: "too hot"})
    assert place(policy, view, b"one room", rng())[0] != full.name


@every_table
def test_gateways_with_the_same_secret_agree(kind: str) -> None:
    view, reordered = view_of(equal(5)), view_of(dict(reversed(equal(5).items())))
    one, other = keyed(kind), keyed(kind)
    for key in (b"%d" % number for number in range(200)):
        assert one.pick(view, key, rng(1), 1).nodes[0].name == other.pick(reordered, key, rng(2), 1).nodes[0].name


@every_table
def test_when_a_node_drains_its_keys_move_and_return_with_it(kind: str) -> None:
    view, policy = view_of(equal(5)), keyed(kind)
    keys = [b"%d" % number for number in range(500)]
    policy.complete(view)
    before = {key: policy.pick(view, key, rng(), 1).nodes[0].name for key in keys}
    view.reported(node_report("n3", 2, draining=True), 1.0)
    during = {key: policy.pick(view, key, rng(), 1).nodes[0].name for key in keys}
    assert "n3" not in during.values()
    policy.complete(view)
    during = {key: policy.pick(view, key, rng(), 1).nodes[0].name for key in keys}
    assert "n3" not in during.values()
    if kind != "maglev":
        assert all(during[key] == was for key, was in before.items() if was != "n3")
    view.reported(node_report("n3", 3), 2.0)
    policy.complete(view)
    assert {key: policy.pick(view, key, rng(), 1).nodes[0].name for key in keys} == before


@every_table
def test_a_pick_does_not_wait_for_the_table(kind: str) -> None:
    """All gateways that have not built theirs agree all the same: they go by rendezvous hashing meanwhile."""
    view, policy, other = view_of(equal(5)), keyed(kind), keyed("rendezvous")
    keys = [b"%d" % number for number in range(100)]
    for key in keys:
        assert policy.pick(view, key, rng(), 3).nodes == other.pick(view, key, rng(), 3).nodes
    assert policy.prepare(view) == (kind != "rendezvous")
    policy.complete(view)
    assert not policy.prepare(view)


@every_table
def test_clients_without_a_key_are_spread(kind: str) -> None:
    policy, view, chance = keyed(f"{kind}:c=0"), view_of(equal(4)), rng()
    counts = Counter(policy.pick(view, None, chance, 1).nodes[0].name for _ in range(4000))
    assert min(counts.values()) > 850


def test_the_slow_weight_loop_moves_no_keys() -> None:
    view, policy = view_of(equal(5)), keyed("rendezvous")
    keys = [b"%d" % number for number in range(300)]
    before = [policy.pick(view, key, rng(), 1).nodes[0].name for key in keys]
    view.set_trims({NodeName("n1"): 0.5, NodeName("n2"): 2.0})
    assert [policy.pick(view, key, rng(), 1).nodes[0].name for key in keys] == before


# The bound.


@every_table
@given(st.data())
@settings(max_examples=12)
def test_no_placement_ever_exceeds_the_bound(kind: str, data: st.DataObject) -> None:
    weights = data.draw(st.lists(st.sampled_from([0.1, 0.3, 1.0, 1.5, 7.0]), min_size=1, max_size=8))
    c = data.draw(st.sampled_from([1.0, 1.05, 1.1, 1.25, 2.0]))
    view, policy = view_of({f"n{index}": weight for index, weight in enumerate(weights)}), keyed(f"{kind}:c={c}")
    for node in view.nodes.values():
        node.accept.limit(0.0, 0.0, 1)  # pace goes before the bound
    chance = rng(len(weights))
    for count, key in enumerate(zipf(40, 400, chance), 1):
        node = view.nodes[place(policy, view, key, chance)[0]]
        assert node.load <= ceil(c * count * node.weight_own / sum(weights))


@every_table
def test_hot_rooms_fill_no_node_and_stay_on_few(kind: str) -> None:
    """Rooms by Zipf's law, the largest with a ninth of all: placed by chance, each would be on 14 of 20 nodes."""
    clients, nodes = 20_000, 20
    view, policy, chance = view_of(equal(nodes)), keyed(kind), rng()
    rooms: dict[bytes, set[NodeName]] = defaultdict(set)
    first = 0
    for key in zipf(3000, clients, chance):
        name, owned = place(policy, view, key, chance)
        rooms[key].add(name)
        first += owned
    average = clients / nodes
    assert max(node.load for node in view.nodes.values()) / average <= 1.25 + 1 / average
    assert sum(map(len, rooms.values())) / len(rooms) <= 1.3
    assert first / clients >= 0.7


@pytest.mark.parametrize(("c", "at_owner"), [("1.1", 0.98), ("1.25", 0.995)])
def test_with_uniform_keys_nearly_all_are_at_their_owner(c: str, at_owner: float) -> None:
    nodes, clients = 20, 40_000
    view, policy, chance = (
        view_of(equal(nodes), loads=dict.fromkeys(equal(nodes), 50)),
        keyed(f"rendezvous:c={c}"),
        rng(),
    )
    first = sum(place(policy, view, chance.randbytes(8), chance)[1] for _ in range(clients))
    assert first / clients >= at_owner


def test_full_nodes_are_passed_over_and_shown() -> None:
    view = view_of(equal(3))
    policy = keyed("rendezvous")
    order = [node.name for node in policy.pick(view, b"key", rng(), 3).nodes]
    view.reported(node_report(order[0], 2, connections=100), 1.0)
    pick = policy.pick(view, b"key", rng(), 2)
    assert [node.name for node in pick.nodes] == order[1:]
    assert [node.name for node in pick.compared] == order
    assert [policy.value(view, node) for node in pick.compared] == [pytest.approx(100 / 43), 0, 0]  # 1.25 * 101 / 3


def test_without_a_bound_the_load_is_shown() -> None:
    view = view_of(equal(2), loads={"n0": 7})
    assert keyed("ring:c=0").value(view, view.nodes[NodeName("n0")]) == 7


@every_table
def test_there_is_room_while_anybody_may_be_given_more(kind: str) -> None:
    """All that are below their caps are barred: the rest share what comes, by caps among themselves."""
    view, policy, chance = view_of(equal(4), loads={"n0": 100, "n1": 100}), keyed(f"{kind}:c=1"), rng()
    view.set_gates({NodeName("n2"): "too hot", NodeName("n3"): "too hot"})
    counts = Counter(place(policy, view, b"one key", chance)[0] for _ in range(20))
    assert counts == {"n0": 10, "n1": 10}


@every_table
def test_a_newcomer_is_not_flooded_for_the_sake_of_the_bound(kind: str) -> None:
    """Three nodes are above their caps since a fourth came: it gets three times its fair share, they the rest."""
    view, policy, chance = view_of(equal(4), loads={"n0": 1000, "n1": 1000, "n2": 1000}), keyed(kind), rng()
    counts = Counter(place(policy, view, chance.randbytes(8), chance)[0] for _ in range(100))
    assert 70 <= counts[NodeName("n3")] <= 81
    assert max(counts[NodeName(name)] for name in ("n0", "n1", "n2")) <= 11


@every_table
def test_where_all_are_paced_the_first_to_be_ready_is_taken(kind: str) -> None:
    view, policy, chance = LoadView("aaaaaaaa"), keyed(kind), rng()  # type: ignore[arg-type]
    for name in equal(3):
        view.reported(node_report(name, accept_per_s=2.0), 0.0)
    counts = Counter(place(policy, view, b"one key", chance)[0] for _ in range(30))
    assert max(counts.values()) <= 13


@every_table
def test_nobody_is_placed_where_nobody_may_be(kind: str) -> None:
    for spec in (kind, f"{kind}:c=0"):
        policy = keyed(spec)
        with pytest.raises(NoNode, match="no node is known"):
            policy.pick(LoadView("aaaaaaaa"), b"key", rng(), 1)  # type: ignore[arg-type]
        view = view_of(equal(2))
        view.set_gates({NodeName("n0"): "too hot", NodeName("n1"): "too hot"})
        with pytest.raises(NoNode, match="too hot"):
            policy.pick(view, b"key", rng(), 1)


# Rooms, for the balancer.


def test_room_is_what_is_left_below_the_cap() -> None:
    view = view_of({"a": 1.0, "b": 2.0, "c": 1.0}, loads={"a": 90, "b": 10, "c": 20})
    assert room(view, 1.25) == {"a": 0, "b": 65, "c": 18}  # caps 37.5, 75, 37.5
    assert room(view, 1.0) == {"a": 0, "b": 50, "c": 10}


def test_room_ends_at_a_nodes_maximum_and_where_it_may_take_nobody() -> None:
    view = view_of({"a": 1.0, "b": 1.0, "c": 1.0})
    view.reported(node_report("a", 2, connections=5, connections_max=8), 1.0)
    view.set_gates({NodeName("b"): "too hot"})
    view.reported(node_report("c", 2, connections=400), 1.0)
    assert room(view, 1.25) == {"a": 3, "b": 0, "c": 0}
    assert room(view, 0) == {"a": 3, "b": 0, "c": UNBOUNDED}


def test_room_of_nobody() -> None:
    assert room(view_of({}), 1.25) == {}
    view = view_of(equal(2))
    assert room(view, 1.25) == {"n0": 0, "n1": 0}  # nothing there to be moved


@given(st.integers(1, 10_000), st.lists(st.floats(0.1, 100.0), min_size=1, max_size=20))
def test_caps_together_hold_the_load(load: int, weights: list[float]) -> None:
    caps = [cap(1.0, load, weight, sum(weights)) for weight in weights]
    assert load <= sum(caps) < load + len(weights) + 1


# Options.


@every_table
def test_options(kind: str) -> None:
    policy = keyed(f"{kind}:key=header.x-room,c=1.5")
    assert (policy.name, policy.table, policy.key_text, policy.c) == (kind, kind, "header.x-room", 1.5)
    assert (keyed(kind).key_text, keyed(kind).c) == ("query.key", 1.25)


@pytest.mark.parametrize(
    ("option", "message"),
    [("c=0.9", "give 1 or more, or 0"), ("c=-1", ">= 0"), ("c=off", "a number"), ("c=nan", "c=nan")],
)
def test_a_bound_that_leaves_no_room_is_refused(option: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        keyed(f"rendezvous:{option}")
