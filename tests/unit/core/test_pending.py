"""Which of the silent sockets goes first."""

from ringway.core.address import EXEMPT
from ringway.core.pending import SILENT_AFTER_S, Pending

LATER = SILENT_AFTER_S + 1.0


def test_the_oldest_of_the_address_that_holds_most_goes_first() -> None:
    pending: Pending[str] = Pending()
    pending.add("b1", "b", 0.0)
    for number in range(3):
        pending.add(f"a{number}", "a", 0.1 + number / 100)
    gone = []
    for _ in range(4):
        victim = pending.victim(LATER, "c")
        assert victim is not None
        pending.remove(victim)
        gone.append(victim)
    assert gone[:2] == ["a0", "a1"]
    assert sorted(gone[2:]) == ["a2", "b1"]
    assert pending.victim(LATER, "c") is None


def test_those_that_have_just_come_are_not_called_silent() -> None:
    pending: Pending[str] = Pending()
    pending.add("slow", "b", 0.0)
    for number in range(10):
        pending.add(f"a{number}", "a", 5.0)
    assert pending.victim(5.0, "c") == "slow"
    assert pending.victim(5.0 + SILENT_AFTER_S, "c") == "a0"


def test_in_a_crowd_only_the_address_that_makes_it_makes_room_and_not_for_itself() -> None:
    pending: Pending[str] = Pending()
    for number in range(10):
        pending.add(f"a{number}", "a", 5.0)
    assert pending.victim(5.0, "c") == "a0"
    assert pending.victim(5.0, "a") is None
    for number in range(10):
        pending.add(f"b{number}", "b", 5.0)
    assert pending.victim(5.0, "c") is None, "nobody makes more than half of it"


def test_whoever_is_not_told_apart_goes_by_age_alone() -> None:
    pending: Pending[str] = Pending()
    for number in range(10):
        pending.add(f"p{number}", EXEMPT, float(number))
    assert pending.victim(LATER, "c") == "p0"
    pending.add("a", "a", 20.0)
    assert pending.victim(30.0, "c") == "a"


def test_one_that_has_spoken_begins_anew() -> None:
    pending: Pending[str] = Pending()
    for number in range(3):
        pending.add(f"a{number}", "a", float(number))
    pending.renew("a0", 3.0)
    assert pending.victim(10.0, "c") == "a1"
    assert pending.remove("a0") == 3.0
    pending.renew("a0", 4.0)
    assert (len(pending), pending.remove("a0"), pending.oldest()) == (2, None, "a1")
    assert list(pending) == ["a1", "a2"]
