"""The policy of the ring; the ring itself is in tests/unit/core/test_ring.py."""

from collections import Counter

from ringway.core.hashing.ring import HashRing
from ringway.core.placement import Ring
from sample import equal, node_report, rng, view_of


def test_a_key_goes_to_its_owner_whatever_the_load() -> None:
    view = view_of(equal(5), loads={"n0": 10_000})
    policy, ring = Ring(b"secret"), HashRing(equal(5), b"secret")
    for number in range(200):
        key = b"user-%d" % number
        assert policy.pick(view, key, rng(number), 1).nodes[0].name == ring.owner(key)
        assert [node.name for node in policy.pick(view, key, rng(number), 3).nodes] == ring.owners(key, 3)


def test_gateways_with_the_same_secret_agree() -> None:
    one, other = Ring(b"secret"), Ring(b"secret")
    view, reordered = view_of(equal(5)), view_of(dict(reversed(equal(5).items())))
    for key in (b"%d" % number for number in range(200)):
        assert one.pick(view, key, rng(1), 1).nodes[0].name == other.pick(reordered, key, rng(2), 1).nodes[0].name


def test_clients_without_a_key_are_spread() -> None:
    policy, view, chance = Ring(b""), view_of(equal(4)), rng()
    counts = Counter(policy.pick(view, None, chance, 1).nodes[0].name for _ in range(4000))
    assert min(counts.values()) > 800


def test_when_a_node_drains_its_keys_alone_move() -> None:
    view = view_of(equal(5))
    policy = Ring(b"")
    keys = [b"%d" % number for number in range(500)]
    before = {key: policy.pick(view, key, rng(), 2).nodes for key in keys}
    view.reported(node_report("n3", 2, draining=True), 1.0)
    for key in keys:
        first, second = before[key]
        assert policy.pick(view, key, rng(), 1).nodes[0] is (second if first.name == "n3" else first)
