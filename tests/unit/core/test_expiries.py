"""Expiries of the few, against a plain dict."""

from hypothesis import given
from hypothesis import strategies as st

from ringway.core.expiries import SLACK, Expiries

steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 9), st.integers(0, 50)),
        st.tuples(st.just("drop"), st.integers(0, 9), st.just(0)),
        st.tuples(st.just("due"), st.just(0), st.integers(0, 50)),
    ),
    max_size=80,
)


@given(steps=steps)
def test_each_key_is_due_at_its_last_deadline_and_once(steps: list[tuple[str, int, int]]) -> None:
    deadlines: Expiries[int] = Expiries()
    model: dict[int, int] = {}
    for what, key, at in steps:
        if what == "put":
            deadlines.put(key, at)
            model[key] = at
        elif what == "drop":
            deadlines.drop(key)
            model.pop(key, None)
        else:
            due = deadlines.due(at)
            assert sorted(due) == sorted(key for key, when in model.items() if when <= at)
            assert [model[key] for key in due] == sorted(model[key] for key in due)
            for key in due:
                del model[key]
        assert len(deadlines) == len(model)


def test_what_is_dropped_does_not_stay_for_years() -> None:
    deadlines: Expiries[int] = Expiries()
    for number in range(10_000):
        deadlines.put(number, 1e9)
        deadlines.put(number, 2e9)
        deadlines.drop(number)
    assert len(deadlines) == 0
    assert deadlines.heap_size <= SLACK
