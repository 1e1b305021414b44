"""Table of sessions: bounded, counted once, and forgotten when they idle."""

from ringway.core.sticky.table import SessionKey, SessionTable
from ringway.protocol.sticky_session import StickySession
from ringway.types import Incarnation, NodeName

A, B = Incarnation("a1"), Incarnation("b1")


def session(number: int, incarnation: Incarnation = A) -> StickySession:
    return StickySession("g", "socketio", f"s{number}", NodeName(incarnation[0]), incarnation)


def key(number: int) -> SessionKey:
    return ("g", "socketio", f"s{number}")


def test_a_session_is_found_until_it_idles_too_long() -> None:
    table = SessionTable(10)
    assert table.add(session(1), 0.0, is_own=True)
    assert not table.add(session(1, B), 0.0, is_own=True)
    table.begin_use(key(1), 50.0)
    table.expire(500.0)  # a request is under way
    assert table.find(key(1)) == (session(1), False)
    table.end_use(key(1), 500.0)
    table.expire(559.0)
    assert table.count_at(A) == 1
    table.expire(561.0)
    assert table.find(key(1)) == (None, False)
    assert (len(table), table.count_at(A)) == (0, 0)


def test_sessions_of_others_and_websockets_are_not_counted() -> None:
    table = SessionTable(10)
    table.add(session(1), 0.0, is_own=True)
    table.add(session(2), 0.0, is_own=False)
    assert table.count_at(A) == 1
    table.begin_use(key(1), 1.0, carried=True)
    assert table.count_at(A) == 0
    table.end_use(key(1), 2.0)
    table.remove(key(1))
    assert (len(table), table.count_at(A)) == (1, 0)


def test_a_session_whose_backend_is_gone_is_known_as_such() -> None:
    table = SessionTable(10)
    for number, incarnation in enumerate((A, A, B)):
        table.add(session(number, incarnation), 0.0, is_own=True)
    table.lose_at(A)
    assert [table.find(key(number))[1] for number in range(3)] == [True, True, False]
    assert (table.count_at(A), table.count_at(B)) == (0, 1)
    table.lose(key(2))
    table.lose(key(2))
    assert table.count_at(B) == 0


def test_at_the_bound_the_session_that_idled_longest_goes() -> None:
    table = SessionTable(2)
    table.add(session(1), 0.0, is_own=True)
    table.add(session(2), 0.0, is_own=True)
    table.begin_use(key(1), 1.0)
    table.add(session(3), 2.0, is_own=True)
    assert [table.find(key(number))[0] is not None for number in (1, 2, 3)] == [True, False, True]
    assert (len(table), table.count_at(A)) == (2, 2)
