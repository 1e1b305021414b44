"""Laws of the hash ring, for any nodes and weights.

Bounds: a node's part of the circle is itself random, about `1/sqrt(points)` of it (core/ring.py), beside the binomial
scatter of K keys over it. Both together, at 4.5 standard deviations: less than one false alarm in 10^5 checks.
"""

import math
import os
import subprocess
import sys
from itertools import islice
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringway.core.hashing.ring import POINTS_PER_WEIGHT, HashRing
from ringway.types import NodeName
from sample import equal, name

KEYS = [b"user:%d" % number for number in range(3000)]

names = st.text("abcdefghij0123456789-._", min_size=1, max_size=12).map(NodeName)
weights = st.floats(0.05, 8.0)
rings = st.dictionaries(names, weights, min_size=1, max_size=8)


def owners(ring: HashRing, keys: list[bytes] = KEYS) -> list[NodeName]:
    return [ring.owner(key) for key in keys]


def tolerance(share: float, keys: int, points: float) -> float:
    """4.5 standard deviations of a node's part of `keys`, from chance and from its points on the circle."""
    return 4.5 * math.sqrt(share * (1 - share) * (1 / keys + 1 / points) + share / points / 10)


@given(rings, names, weights)
def test_a_new_node_takes_keys_and_no_others_move(nodes: dict[NodeName, float], new: NodeName, weight: float) -> None:
    nodes.pop(new, None)
    if not nodes:
        return
    before = owners(HashRing(nodes))
    after = owners(HashRing({**nodes, new: weight}))
    assert all(now in (was, new) for was, now in zip(before, after, strict=True))


@given(rings, st.data())
def test_a_node_that_leaves_gives_away_its_own_keys_alone(nodes: dict[NodeName, float], data: st.DataObject) -> None:
    nodes["last"] = 1.0  # type: ignore[index]  # somebody stays
    gone = data.draw(st.sampled_from(sorted(set(nodes) - {"last"} or nodes)))
    rest = {node: weight for node, weight in nodes.items() if node != gone}
    if not rest:
        return
    before, after = owners(HashRing(nodes)), owners(HashRing(rest))
    assert all(now == was for was, now in zip(before, after, strict=True) if was != gone)


@given(rings, weights, st.data())
def test_a_change_of_weight_moves_keys_only_to_or_from_that_node(
    nodes: dict[NodeName, float], weight: float, data: st.DataObject
) -> None:
    changed = data.draw(st.sampled_from(sorted(nodes)))
    before, after = owners(HashRing(nodes)), owners(HashRing({**nodes, changed: weight}))
    moved = [(was, now) for was, now in zip(before, after, strict=True) if was != now]
    if weight >= nodes[changed]:
        assert all(now == changed for _, now in moved)
    else:
        assert all(was == changed for was, _ in moved)


@given(rings, names, weights)
def test_adding_and_removing_again_changes_nothing(nodes: dict[NodeName, float], new: NodeName, weight: float) -> None:
    ring = HashRing(nodes)
    before = owners(ring)
    ring.update({**nodes, new: weight})
    ring.update(nodes)
    assert owners(ring) == before


@given(st.lists(rings, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_a_ring_that_was_changed_equals_one_made_anew(steps: list[dict[NodeName, float]], shuffled: Random) -> None:
    """So members that learned of changes in another order agree."""
    ring = HashRing({})
    for step in steps:
        ring.update(step)
    last = list(steps[-1].items())
    shuffled.shuffle(last)
    anew = HashRing(dict(last))
    assert owners(ring) == owners(anew)
    assert [list(islice(ring.ranked(key), 3)) for key in KEYS[:50]] == [
        list(islice(anew.ranked(key), 3)) for key in KEYS[:50]
    ]


@pytest.mark.parametrize("count", [1, 2, 5, 10, 20, 50])
def test_a_new_node_takes_about_its_part(count: int) -> None:
    """K = 20,000 keys, n equal nodes and one more: K/(n+1) of them move."""
    keys = [b"room-%d" % number for number in range(20_000)]
    ring = HashRing(equal(count), b"secret")
    before = owners(ring, keys)
    ring.update(equal(count + 1))
    after = owners(ring, keys)
    moved = sum(was != now for was, now in zip(before, after, strict=True))
    assert moved == sum(now == name(count) for now in after)
    share = 1 / (count + 1)
    assert abs(moved / len(keys) - share) <= tolerance(share, len(keys), POINTS_PER_WEIGHT)


@pytest.mark.parametrize(
    "kind", ["%d", "user-%d@example.org", "10.0.%d.1", "0000000000000000000000000000000%d", "room/%d/messages"]
)
def test_keys_are_spread_by_weight_whatever_they_look_like(kind: str) -> None:
    nodes = {name(1): 1.0, name(2): 2.0, name(3): 0.5, name(4): 1.0, name(5): 0.25}
    keys = [(kind % number).encode() for number in range(20_000)]
    found = owners(HashRing(nodes, b"secret"), keys)
    total = sum(nodes.values())
    for node, weight in nodes.items():
        share = weight / total
        assert abs(found.count(node) / len(keys) - share) <= tolerance(share, len(keys), POINTS_PER_WEIGHT * weight)


def test_another_process_with_another_hash_seed_agrees() -> None:
    script = (
        "from ringway.core.hashing.ring import HashRing\n"
        "ring = HashRing({name: 1.0 for name in {'a', 'b', 'c', 'd', 'e'}}, b'secret')\n"
        "print(''.join(ring.owner(b'%d' % key) for key in range(300)))"
    )
    said = set()
    for seed in ("0", "1", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True, timeout=60
        )
        said.add(done.stdout)
    here = HashRing({NodeName(letter): 1.0 for letter in "edcba"}, b"secret")
    assert said == {"".join(here.owner(b"%d" % key) for key in range(300)) + "\n"}
