"""One line of the log for many refusals."""

from ringway.core.refusals import TELL_S, Refusals


def test_they_are_told_together_and_not_too_often() -> None:
    refusals = Refusals()
    assert refusals.due(0.0) is None
    for _ in range(100):
        refusals.add("a", "asks")
    refusals.add("b", "relays")
    assert refusals.due(0.0) == ("b", {"asks": 100, "relays": 1})
    refusals.add("a", "asks")
    assert refusals.due(TELL_S / 2) is None
    assert refusals.due(TELL_S) == ("a", {"asks": 1})
    assert refusals.due(9.0) is None
