"""The policy `ring`; the common properties of policies by key are in test_keyed.py."""

from ringway.core.hashing import complete, make_table
from ringway.core.placement.keyed import KeyedOptions
from ringway.core.placement.ring import Ring
from ringway.types import NodeName
from sample import rng, view_of

WEIGHTS = {"n0": 1.0, "n1": 2.0, "n2": 3.0, "n3": 0.5}


def test_keys_are_placed_by_its_table() -> None:
    policy, table = Ring(KeyedOptions(), b"secret"), make_table("ring", b"secret")
    assert policy.table == policy.name == "ring"
    complete(table, {NodeName(node): weight for node, weight in WEIGHTS.items()})
    view = view_of(WEIGHTS)
    policy.complete(view)
    for key in (b"%d" % number for number in range(300)):
        assert [node.name for node in policy.pick(view, key, rng(), 4).nodes] == list(table.ranked(key))
