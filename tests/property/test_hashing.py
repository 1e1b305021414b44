"""Laws of the tables that say whose a key is, for any nodes and weights: one suite over ring, rendezvous and Maglev.

Statistical bounds are at 4.5 standard deviations: less than one false alarm in 10^5 checks. They count what chance
does to K keys, and to the points of a ring.
"""

import math
import os
import subprocess
import sys
from collections.abc import Callable
from random import Random
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringway.core.hashing import TABLES, Table, complete, make_table
from ringway.core.hashing.maglev import SIZE, MaglevTable
from ringway.core.hashing.rendezvous import RendezvousTable
from ringway.core.hashing.ring import POINTS_PER_WEIGHT, PROBES, HashRing
from ringway.sim.owners import Hashes, Names, hash_keys, owners_of
from ringway.types import NodeName
from sample import equal, name

SECRET = b"secret"
K = 200_000

AnyTable = HashRing | RendezvousTable | MaglevTable
KINDS: dict[str, type[AnyTable]] = {"ring": HashRing, "rendezvous": RendezvousTable, "maglev": MaglevTable}
every_table = pytest.mark.parametrize("kind", TABLES)
without_collateral = pytest.mark.parametrize("kind", ["ring", "rendezvous"])

names = st.text("abcdefghij0123456789-._", min_size=1, max_size=12).map(NodeName)
weights = st.floats(0.1, 8.0)
clusters = st.dictionaries(names, weights, min_size=1, max_size=12)


def made(kind: str, nodes: dict[NodeName, float] | dict[str, float]) -> AnyTable:
    return KINDS[kind]({NodeName(node): weight for node, weight in nodes.items()}, SECRET)


def hashes(keys: list[bytes]) -> Hashes:
    return hash_keys(keys, SECRET)


KEYS = hashes([b"user:%d" % number for number in range(K)])
SOME = KEYS[:50_000]
FEW = [b"user:%d" % number for number in range(40)]


def moved(before: Names, after: Names) -> set[tuple[NodeName, NodeName]]:
    """Between whom keys have moved."""
    changed = before != after
    return set(zip(before[changed], after[changed], strict=True))


def noise(kind: str, weight: float) -> float:
    """The variance that the table itself adds to a node's share, relative to it."""
    return 1 / ((2 * PROBES - 1) * weight * POINTS_PER_WEIGHT) if kind == "ring" else 0.0


def bound(kind: str, share: float, weight: float = 1.0, keys: int = K) -> float:
    """4.5 standard deviations of a node's part of `keys`, relative to it."""
    return 4.5 * math.sqrt((1 - share) / (share * keys) + noise(kind, weight))


# Movement: what changes hands when members change.


@without_collateral
@given(clusters, names, weights)
@settings(max_examples=8)
def test_a_new_node_takes_keys_and_no_others_move(
    kind: str, nodes: dict[NodeName, float], new: NodeName, weight: float
) -> None:
    nodes.pop(new, None)
    if not nodes:
        return
    before, after = owners_of(made(kind, nodes), SOME), owners_of(made(kind, {**nodes, new: weight}), SOME)
    assert all(now == new for _, now in moved(before, after))


@without_collateral
@given(clusters, st.data())
@settings(max_examples=8)
def test_a_node_that_leaves_gives_away_its_own_keys_alone(
    kind: str, nodes: dict[NodeName, float], data: st.DataObject
) -> None:
    nodes[NodeName("stays")] = 1.0
    gone = data.draw(st.sampled_from(sorted(nodes)))
    nodes[NodeName("another")] = 2.0
    table = made(kind, nodes)
    before = owners_of(table, SOME)
    complete(table, {node: weight for node, weight in table.weights.items() if node != gone})
    assert all(was == gone for was, _ in moved(before, owners_of(table, SOME)))


@without_collateral
@given(clusters, weights, st.data())
@settings(max_examples=8)
def test_a_change_of_weight_moves_keys_only_to_or_from_that_node(
    kind: str, nodes: dict[NodeName, float], weight: float, data: st.DataObject
) -> None:
    changed = data.draw(st.sampled_from(sorted(nodes)))
    table = made(kind, nodes)
    before = owners_of(table, SOME)
    complete(table, {**nodes, changed: weight})
    for was, now in moved(before, owners_of(table, SOME)):
        assert (now if weight >= nodes[changed] else was) == changed


@every_table
@given(st.lists(clusters, min_size=2, max_size=4), st.randoms(use_true_random=False))
@settings(max_examples=8)
def test_a_table_that_was_changed_equals_one_made_anew(
    kind: str, steps: list[dict[NodeName, float]], shuffled: Random
) -> None:
    """So members that learned of changes in another order agree; what was added and removed leaves nothing."""
    table = made(kind, {})
    for step in steps:
        complete(table, step)
    last = list(steps[-1].items())
    shuffled.shuffle(last)
    anew = made(kind, dict(last))
    assert not moved(owners_of(table, SOME), owners_of(anew, SOME))
    for key in FEW:
        assert list(table.ranked(key)) == list(anew.ranked(key))


@every_table
@given(clusters)
@settings(max_examples=8)
def test_all_ways_to_ask_agree(kind: str, nodes: dict[NodeName, float]) -> None:
    table: Table = made(kind, nodes)
    owners = owners_of(made(kind, nodes), hashes(FEW))
    for key, owner in zip(FEW, owners, strict=True):
        ranked = list(table.ranked(key))
        assert ranked[0] == table.owner(key) == owner
        assert sorted(ranked) == sorted(nodes)


@without_collateral
@pytest.mark.parametrize("count", [1, 2, 5, 10, 20, 50])
def test_a_new_node_takes_its_part_within_five_percent(kind: str, count: int) -> None:
    table = made(kind, equal(count))
    before = owners_of(table, KEYS)
    complete(table, dict.fromkeys(map(name, range(count + 1)), 1.0))
    after = owners_of(table, KEYS)
    taken = int((before != after).sum())
    assert taken == int((after == name(count)).sum())
    assert taken == pytest.approx(K / (count + 1), rel=0.05)


@pytest.mark.parametrize("count", [5, 10, 20, 50])
def test_maglev_moves_little_between_nodes_that_stay(count: int) -> None:
    """What the others never do: the price of its evenness."""
    table = made("maglev", equal(count))
    before = owners_of(table, KEYS)
    complete(table, dict.fromkeys(map(name, range(count + 1)), 1.0))
    after = owners_of(table, KEYS)
    collateral = int(((before != after) & (after != name(count))).sum())
    assert 0 < collateral <= 0.006 * K


def test_a_node_that_grows_takes_the_difference_and_no_more() -> None:
    """From 2 of 26 to 3 of 27."""
    nodes = {f"n{index}": weight for index, weight in enumerate([1.0, 1, 2, 2, 3, 4, 5, 8])}
    table = made("rendezvous", nodes)
    before = owners_of(table, KEYS)
    complete(table, {NodeName(node): weight for node, weight in {**nodes, "n2": 3.0}.items()})
    share = 3 / 27 - 2 / 26
    taken = int((before != owners_of(table, KEYS)).sum())
    assert abs(taken - K * share) <= 4.5 * math.sqrt(K * share * (1 - share))


@every_table
def test_a_node_that_was_made_lighter_and_then_left_is_named_no_more(kind: str) -> None:
    """A table that forgets to take out what the heavier node had names it afterwards, or fails."""
    stay = {name(1): 1.0, name(2): 1.0, name(3): 1.0}
    table = made(kind, {**stay, name(4): 10.0})
    for weight in (2.0, 0.1, 0.0):
        complete(table, {**stay, name(4): weight})
        assert set(owners_of(table, SOME)) == set(stay) | ({name(4)} if weight else set())
    assert not moved(owners_of(table, KEYS), owners_of(made(kind, stay), KEYS))
    assert sorted(table.ranked(b"key")) == sorted(stay)


@every_table
def test_nodes_that_leave_together_and_return_in_another_order_are_told_apart(kind: str) -> None:
    table = made(kind, equal(6))
    for present in ("012", "0123", "012", "01235", "0125", "125", "0125", "3", "31", "315"):
        nodes = {f"n{digit}": 1.0 for digit in present}
        complete(table, {NodeName(node): weight for node, weight in nodes.items()})
        assert not moved(owners_of(table, SOME), owners_of(made(kind, nodes), SOME))


# Shares: how much each node gets.

SHAPES: dict[str, Callable[[int], bytes]] = {
    "numbers": lambda index: b"%d" % index,
    "addresses": lambda index: f"10.{index >> 16}.{index >> 8 & 255}.{index & 255}".encode(),
    "uuids": lambda index: str(UUID(int=Random(index).getrandbits(128), version=4)).encode(),
    "rooms": lambda index: b"room/%d/messages" % index,
    "long": lambda index: b"0" * 500 + b"%06d" % index,
    "binary": lambda index: index.to_bytes(4, "little"),
}
LAST_LETTER = {f"node-{letter}": 1.0 for letter in "abcdefghij"}


@every_table
@pytest.mark.parametrize("shape", SHAPES)
def test_names_that_differ_in_one_letter_share_keys_of_any_shape_evenly(kind: str, shape: str) -> None:
    """Hashing key and name together by a simple hash, as some proxies do, gives one node twice the part of another."""
    keys = 50_000
    owners = owners_of(made(kind, LAST_LETTER), hashes([SHAPES[shape](index) for index in range(keys)]))
    counts = [int((owners == node).sum()) for node in LAST_LETTER]
    for count in counts:
        assert abs(count / keys - 0.1) <= 0.1 * bound(kind, 0.1, keys=keys)
    if kind != "ring":
        assert sum((count - keys / 10) ** 2 / (keys / 10) for count in counts) < chi_square(9)


def chi_square(freedom: int) -> float:
    """What a sum of squares exceeds once in a million (Wilson and Hilferty 1931)."""
    step = 2 / (9 * freedom)
    return float(freedom * (1 - step + 4.753 * math.sqrt(step)) ** 3)


@every_table
@pytest.mark.parametrize("count", [2, 10, 50, 100])
def test_equal_nodes_share_evenly(kind: str, count: int) -> None:
    owners = owners_of(made(kind, equal(count)), KEYS)
    shares = np.array([(owners == name(index)).sum() for index in range(count)]) * count / K
    assert np.abs(shares - 1).max() <= bound(kind, 1 / count)


@every_table
def test_a_thousand_nodes_scatter_by_less_than_one_percent_beyond_what_dice_do(kind: str) -> None:
    """The table's own part of the variance of shares: 1 % of a share means 3 % for the fullest of a thousand."""
    nodes, keys = 1000, K if kind == "rendezvous" else 10 * K
    numbers = np.random.default_rng(1).integers(0, 2**64, keys, dtype=np.uint64)
    owners = owners_of(made(kind, equal(nodes)), numbers)
    counts = np.unique(owners, return_counts=True)[1]
    assert len(counts) == nodes
    dispersion = float(counts.var() / counts.mean())
    assert dispersion <= 1.0 + 0.01**2 * float(counts.mean()) + 4.5 * math.sqrt(2 / nodes)


def test_no_node_of_a_thousand_has_three_percent_more_than_its_share_of_maglevs_places() -> None:
    places = np.bincount(np.array(MaglevTable(dict.fromkeys(map(name, range(1000)), 1.0)).places))
    assert places.max() <= 1.03 * SIZE / 1000


@every_table
@pytest.mark.parametrize(
    "given_weights",
    [[1, 1, 2, 2, 3, 4, 5, 8], [0.1, 1, 10, 100], [0.3, 0.7, 1.1, 2.9, math.pi], [0.001, 0.002]],
    ids=["whole", "wide", "broken", "tiny"],
)
def test_shares_are_as_the_weights(kind: str, given_weights: list[float]) -> None:
    """Within 2 %, or what chance does; a ring with few points by what these add."""
    nodes = {f"n{index}": float(weight) for index, weight in enumerate(given_weights)}
    owners = owners_of(made(kind, nodes), KEYS)
    for node, weight in nodes.items():
        share = weight / sum(given_weights)
        error = float((owners == node).sum()) / (K * share) - 1
        assert abs(error) <= max(0.02, bound(kind, share, weight)), node


@given(clusters)
@settings(max_examples=8)
def test_maglev_is_even_to_few_places(nodes: dict[NodeName, float]) -> None:
    table = MaglevTable(nodes)
    places = np.bincount(np.array(table.places), minlength=len(nodes))
    total = sum(nodes.values())
    for node, held in zip(sorted(nodes), places.tolist(), strict=True):
        assert abs(held - SIZE * nodes[node] / total) <= 2


# The same everywhere.


@every_table
def test_another_process_with_another_hash_seed_agrees(kind: str) -> None:
    script = (
        "from ringway.core.hashing import complete, make_table\n"
        f"table = make_table({kind!r}, b'secret')\n"
        "complete(table, {name: 1.0 for name in {'a', 'b', 'c', 'd', 'e'}})\n"
        "print(''.join(''.join(table.ranked(b'%d' % key)) for key in range(100)))"
    )
    said = set()
    for seed in ("0", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True, timeout=60
        )
        said.add(done.stdout)
    here = make_table(kind, SECRET)
    complete(here, {NodeName(letter): 1.0 for letter in "edcba"})
    assert said == {"".join("".join(here.ranked(b"%d" % key)) for key in range(100)) + "\n"}


@every_table
def test_the_secret_decides_who_owns_what(kind: str) -> None:
    one, other = KINDS[kind]({}, b"one"), KINDS[kind]({}, b"other")
    for table in (one, other):
        complete(table, dict.fromkeys(map(name, range(10)), 1.0))
    keys = [b"%d" % key for key in range(2000)]
    same = sum(one.owner(key) == other.owner(key) for key in keys)
    assert 120 < same < 280  # a tenth, by chance
    assert (owners_of(one, KEYS) == owners_of(other, KEYS)).mean() == pytest.approx(
        0.1, abs=0.01
    )  # by the nodes' numbers alone
