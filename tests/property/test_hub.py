"""The hub against a naive model: a set of (channel, subscriber) pairs."""

from hypothesis import given
from hypothesis import strategies as st

from ringway.core.hub import Hub
from ringway.types import Channel

STEPS = st.lists(st.tuples(st.booleans(), st.sampled_from("abc"), st.integers(0, 4)), max_size=60)


@given(STEPS)
def test_it_agrees_with_a_set_of_pairs(steps: list[tuple[bool, str, int]]) -> None:
    hub: Hub[int, int] = Hub()
    model: set[tuple[str, int]] = set()
    for joins, name, who in steps:
        channel = Channel(name)
        before = any(at == name for at, _ in model)
        if joins:
            model.add((name, who))
            assert hub.add(channel, who, who * 10) == (not before)
        else:
            model.discard((name, who))
            assert hub.remove(channel, who) == (before and not any(at == name for at, _ in model))
        for at in "abc":
            found = hub.subscribers(Channel(at))
            expected = {(member, member * 10) for there, member in model if there == at}
            assert (set(found) if found is not None else set()) == expected
            assert (Channel(at) in hub) == bool(expected)
        assert len(hub) == len({at for at, _ in model})
