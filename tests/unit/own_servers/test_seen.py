"""What clients of other servers saw, computed from the events of their programs."""

from typing import Any

from integration.own_servers.seen import see


def events(*lines: tuple[Any, ...]) -> list[dict[str, Any]]:
    """Return events of (time, name, fields)."""
    return [{"at": float(at), "event": name, **(more[0] if more else {})} for at, name, *more in lines]


A_QUIET_LIFE = events(
    (1, "connected", {"instance": "a"}),
    (2, "sent", {"n": 1}),
    (2.5, "acked", {"n": 1, "instance": "a"}),
    (3, "sent", {"n": 2}),
    (3.25, "acked", {"n": 2, "instance": "a"}),
)
A_LOSS = [
    *A_QUIET_LIFE,
    *events(
        (4, "sent", {"n": 3}),
        (4.5, "disconnected", {"code": 1012, "reason": "node lost"}),
        (4.5, "lost", {"n": 3, "why": "the connection ended"}),
        (6, "connected", {"instance": "b"}),
        (7, "sent", {"n": 4}),
        (7.5, "acked", {"n": 4, "instance": "b"}),
        (8, "sent", {"n": 5}),
    ),
]


def test_a_client_to_which_nothing_happens():
    seen = see(A_QUIET_LIFE, now=3.5)
    assert (seen.instance, seen.instances) == ("a", ["a"])
    assert (seen.sent, seen.acked, seen.lost, seen.waiting, seen.reconnects) == (2, 2, 0, 0, 0)
    assert (seen.silent_s, seen.slowest_s) == (0.75, 0.5)
    assert (seen.closes, seen.errors, seen.gave_up) == ([], [], [])


def test_a_client_that_comes_back_on_another_instance():
    seen = see(A_LOSS, now=8.1)
    assert (seen.instance, seen.instances) == ("b", ["a", "b"])
    assert (seen.sent, seen.acked, seen.lost, seen.waiting, seen.reconnects) == (5, 3, 1, 1, 1)
    assert seen.closes == ["1012 node lost"]
    assert seen.silent_s == 4.25


def test_only_what_came_late_is_counted():
    seen = see(A_LOSS, now=8.1, since=4.25)
    assert (seen.sent, seen.acked, seen.lost, seen.waiting, seen.reconnects) == (2, 1, 1, 1, 1)
    assert seen.silent_s == 3.25
    assert seen.instances == ["b"]


def test_while_it_is_not_connected_it_has_no_instance():
    assert see(A_LOSS[:7], now=5).instance is None


def test_silence_lasts_until_now():
    assert see(A_QUIET_LIFE, now=60).silent_s == 56.75


def test_a_pause_is_no_silence():
    assert see([*A_QUIET_LIFE, *events((3.5, "paused"))], now=60).silent_s == 0.75


def test_a_subscription_is_silent_although_messages_are_acknowledged():
    ticks = events((1, "tick", {"instance": "a"}), (2, "tick", {"instance": "a"}))
    assert see(sorted([*A_LOSS, *ticks], key=lambda event: event["at"]), now=8.1).silent_s == 6.1


def test_an_instance_that_changes_without_a_new_connection_is_seen():
    seen = see([*A_QUIET_LIFE, *events((4, "sent", {"n": 3}), (4.1, "acked", {"n": 3, "instance": "c"}))], now=5)
    assert (seen.instance, seen.instances, seen.reconnects) == ("c", ["a", "c"], 0)
