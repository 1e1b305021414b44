"""Memory of the newest entries."""

from ringway.core.recent import Recent


def test_the_oldest_entry_gives_way() -> None:
    recent = Recent[str, int](2)
    for number, key in enumerate("abc"):
        recent.add(key, number)
    assert [recent.get(key) for key in "abc"] == [None, 1, 2]
    assert len(recent) == 2


def test_an_entry_that_is_added_again_is_new() -> None:
    recent = Recent[str, int](2)
    for number, key in enumerate("abac"):
        recent.add(key, number)
    assert "b" not in recent
    assert recent.get("a") == 2


def test_an_entry_is_forgotten_on_request() -> None:
    recent = Recent[str, int]()
    recent.add("a", 1)
    assert recent.pop("a") == 1
    assert recent.pop("a") is None
    assert "a" not in recent


def test_an_entry_that_is_refreshed_outlives_older_ones() -> None:
    recent = Recent[str, int](2)
    recent.add("a", 1)
    recent.add("b", 2)
    assert recent.refresh("a") == 1
    assert recent.refresh("c") is None
    recent.add("c", 3)
    assert "b" not in recent
    assert recent.get("a") == 1
