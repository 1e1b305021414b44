"""Clients that are expected back after a move: each promise is for one client, once."""

from hypothesis import given
from hypothesis import strategies as st

from ringway.core.expected import ExpectedClients
from ringway.protocol.expected import ExpectedClient
from ringway.types import NodeName


def client(number: int, mark: str = "m", ttl_s: float = 10.0) -> ExpectedClient:
    return ExpectedClient(
        id=str(number),
        mark=mark,
        gateway=NodeName("g"),
        donor=NodeName("a"),
        target=NodeName(f"t{number}"),
        ttl_s=ttl_s,
    )


def test_of_several_behind_one_address_the_first_promise_is_taken_first() -> None:
    expected = ExpectedClients()
    expected.add([client(1), client(2)], 0.0)
    taken = [expected.take_promise(["m"], 1.0) for _ in range(3)]
    assert [each.id if each is not None else None for each in taken] == ["1", "2", None]


def test_the_marks_are_tried_in_their_order() -> None:
    expected = ExpectedClients()
    expected.add([client(1, "address"), client(2, "key")], 0.0)
    taken = expected.take_promise(["key", "address"], 1.0)
    assert taken is not None
    assert taken.id == "2"


def test_a_promise_ends_with_its_time() -> None:
    expected = ExpectedClients()
    expected.add([client(1, ttl_s=5.0), client(2, ttl_s=9.0)], 0.0)
    taken = expected.take_promise(["m"], 5.0)
    assert taken is not None
    assert taken.id == "2"
    expected.add([client(3, ttl_s=5.0)], 0.0)
    expected.expire(5.0)
    assert len(expected) == 0


marks = st.sampled_from(["m", "n"])
steps = st.one_of(
    st.tuples(st.just("add"), st.integers(0, 20), marks),
    st.tuples(st.just("take"), marks, st.floats(0, 3)),
    st.tuples(st.just("drop"), st.integers(0, 20)),
    st.tuples(st.just("expire"), st.floats(0, 3)),
)


@given(st.lists(steps, max_size=60))
def test_no_promise_is_given_to_two_clients_and_none_after_its_end(script: list[tuple]) -> None:
    expected, now = ExpectedClients(), 0.0
    open_until: dict[str, float] = {}
    marked: dict[str, str] = {}
    for step, *given_with in script:
        if step == "add":
            number, mark = given_with
            if str(number) not in marked:  # ids are chosen once
                expected.add([client(number, mark, ttl_s=2.0)], now)
                open_until[str(number)], marked[str(number)] = now + 2.0, mark
        elif step == "take":
            mark, later = given_with
            now += later
            taken = expected.take_promise([mark], now)
            could = [each for each, until in open_until.items() if until > now and marked[each] == mark]
            assert (taken is None) == (not could)
            if taken is not None:
                assert taken.id == could[0], "the first that was promised"
                del open_until[taken.id]
        elif step == "drop":
            expected.drop([str(given_with[0])])
            open_until.pop(str(given_with[0]), None)
        else:
            now += given_with[0]
            expected.expire(now)
            assert len(expected) == sum(until > now for until in open_until.values())
