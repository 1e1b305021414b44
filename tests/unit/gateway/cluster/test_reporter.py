"""Reports of a gateway: when a change is large enough to report it at once."""

import random

from ringway.gateway.cluster.reporter import changed_much
from ringway.types import NodeName


def test_when_places_havechanged_much() -> None:
    rng = random.Random(3)
    names = [NodeName(f"n{index}") for index in range(4)]
    assert not changed_much({}, {names[0]: 7})
    assert changed_much({}, {names[0]: 8})
    assert changed_much({names[0]: 8}, {names[1]: 8})
    many = {name: rng.randint(100, 200) for name in names}
    assert not changed_much(many, {**many, names[0]: many[names[0]] + 10})
    assert changed_much(many, {})
