"""Promises to addresses that are not used yet."""

from ringway.core import outstanding
from ringway.core.outstanding import Outstanding


def test_a_ticket_is_charged_until_it_ends() -> None:
    made = Outstanding()
    made.issue("a", 12.0)
    made.issue("a", 10.0)
    made.expire(9.9)
    assert made.shares.count("a") == 2
    made.expire(10.0)
    assert made.shares.count("a") == 1
    made.expire(12.0)
    assert (made.shares.count("a"), made.shares.total) == (0, 0)


def test_of_those_redeemed_the_ones_that_end_first_are_taken_to_be_them() -> None:
    made = Outstanding()
    for ends_at, address in ((3.0, "b"), (1.0, "a"), (2.0, "a")):
        made.issue(address, ends_at)
    made.redeemed(2)
    assert (made.shares.count("a"), made.shares.count("b")) == (0, 1)
    made.redeemed(5)
    assert made.shares.total == 0


def test_what_a_gateway_opened_itself_is_charged_meanwhile_and_told_once() -> None:
    made = Outstanding()
    made.issue("a", 10.0)
    made.begin("b")
    made.begin("c")
    assert made.shares.total == 3
    made.finish("b", told_until=5.0)
    made.finish("c")
    made.redeemed(1)
    assert (made.shares.count("a"), made.shares.total) == (1, 1), "the one redeemed was b's"
    made.redeemed(1)
    assert made.shares.total == 0


def test_it_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr(outstanding, "TICKETS_MAX", 10)
    made = Outstanding()
    for number in range(100):
        made.issue("a", float(number))
    assert made.shares.count("a") == 10


def test_of_what_no_node_told_in_time_nothing_is_left_out_later() -> None:
    made = Outstanding()
    made.begin("b")
    made.finish("b", told_until=5.0)
    made.issue("a", 100.0)
    made.expire(5.0)
    made.redeemed(1)
    assert made.shares.total == 0
