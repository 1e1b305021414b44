"""The judge of the tests in this folder finds the faults that it must find."""

from integration.engine.judge import judge_delivery, judge_leases, membership_s
from integration.engine.record import Heard, Held, Record, Seen, Sent

TOLD = ""


def record(*payloads: str, sent: int = 4, confirmed: bool = True) -> Record:
    """Return a record: sent "a 0", "a 1", … at the times 10, 11, …, seen `payloads` at the offsets 1, 2, …"""
    made = Record("a", seen=[Seen(1.0, "room", "e", 0)])
    for number in range(sent):
        began = 10.0 + number
        made.sent.append(Sent("room", number, began, began + 0.5 if confirmed else 0.0, "e", number + 1))
    for place, payload in enumerate(payloads, 1):
        made.seen.append(Seen(10.6 + place, "room", "e", place, payload))
    return made


def wrongs(*payloads: str, all_kept: bool = False) -> str:
    return " | ".join(judge_delivery([record(*payloads)], all_kept=all_kept))


def test_what_came_once_and_in_order_is_well() -> None:
    assert wrongs("a 0", "a 1", "a 2", "a 3", all_kept=True) == ""


def test_a_gap_is_found_wherever_it_is() -> None:
    for missing in range(4):
        came = [f"a {number}" for number in range(4) if number != missing]
        assert "1 were lost silently" in wrongs(*came), missing
    assert "4 were lost silently" in wrongs()


def test_what_was_told_is_no_silent_gap_and_yet_one_where_all_was_to_be_kept() -> None:
    assert wrongs("a 0", TOLD, "a 2", "a 3") == ""
    assert "1 were lost silently" in wrongs("a 0", TOLD, "a 2"), "what began after that is not excused"
    assert "was told 1 times" in wrongs("a 0", TOLD, "a 2", "a 3", all_kept=True)


def test_what_came_twice_or_out_of_order_is_found() -> None:
    assert "came again or out of order" in wrongs("a 0", "a 1", "a 1", "a 2", "a 3")
    assert "came again or out of order" in wrongs("a 0", "a 2", "a 1", "a 3")
    back = record("a 0", "a 1", "a 2", "a 3")
    back.seen[-1].offset = 1
    assert "offset 1 came after 3" in judge_delivery([back], all_kept=False)[0]


def test_a_place_with_two_publications_and_one_without_an_answer_are_found() -> None:
    other = record("a 0", "a 1", "a 2", "a 3", sent=0)
    other.name, other.seen[2].payload = "b", "a 7"
    assert "room at 2 of e is 'a 1' and 'a 7'" in " ".join(
        judge_delivery([record("a 0", "a 1"), other], all_kept=False)
    )
    assert "never got an answer" in judge_delivery([record(sent=1, confirmed=False)], all_kept=False)[0]


def test_two_holders_and_numbers_that_do_not_grow_are_found() -> None:
    one, other = Held("a", 1, 0.0, 0.1, 2.0), Held("b", 2, 1.9, 1.95, 3.9)
    both = [Record("a", held=[one]), Record("b", held=[other])]
    assert "both held the lease" in judge_leases(both, exclusive=True)[0]
    assert judge_leases(both, exclusive=False) == []
    other.asked, other.since = 2.0, 2.1
    assert judge_leases(both, exclusive=True) == []
    other.fence = 1
    assert "came after" in judge_leases(both, exclusive=True)[0]


def test_membership_is_whole_when_all_heard_what_all_said_since() -> None:
    a = Record("a", heard=[Heard(1.0, "a", 1.0), Heard(1.1, "b", 1.0), Heard(5.5, "b", 0.5)])
    b = Record("b", heard=[Heard(1.2, "a", 1.0), Heard(1.3, "b", 1.2)])
    assert membership_s([a, b], 0.9) is not None
    assert membership_s([a, b], 1.1) is None
    assert round(membership_s([a, b], 1.0) or 0.0, 3) == 0.3
