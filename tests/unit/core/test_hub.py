from ringway.core.hub import Hub
from ringway.types import Channel

A, B = Channel("a"), Channel("b")


def test_first_and_last_subscribers_are_told() -> None:
    hub: Hub[str, int] = Hub()
    assert hub.add(A, "x", 1)
    assert not hub.add(A, "y", 2)
    assert hub.add(B, "x", 1)
    assert not hub.remove(A, "x")
    assert hub.remove(A, "y")
    assert A not in hub
    assert B in hub


def test_removing_what_is_not_there_changes_nothing() -> None:
    hub: Hub[str, int] = Hub()
    assert not hub.remove(A, "x")
    hub.add(A, "x", 1)
    assert not hub.remove(A, "y")
    assert hub.count(A) == 1


def test_adding_again_changes_how_a_subscriber_is_reached() -> None:
    hub: Hub[str, int] = Hub()
    hub.add(A, "x", 1)
    assert not hub.add(A, "x", 2)
    subscribers = hub.subscribers(A)
    assert subscribers is not None
    assert list(subscribers) == [("x", 2)]
    assert hub.subscribers(B) is None
    assert (len(hub), hub.count(A), hub.count(B)) == (1, 1, 0)
