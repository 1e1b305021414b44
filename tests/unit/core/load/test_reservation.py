"""The ledger of places: held, redeemed, released, ended."""

from ringway.core.load.reservation import Ledger
from sample import incarnation

A = incarnation(1)
B = incarnation(2)


def test_a_place_is_held_until_its_time_has_passed() -> None:
    ledger = Ledger[str](ttl_s=10.0)
    ledger.hold("n1", now=0.0)
    ledger.expire(9.99)
    assert ledger.held() == {"n1": 1}
    ledger.expire(10.0)
    assert ledger.held() == {}


def test_a_redeemed_ticket_drops_one_place() -> None:
    ledger = Ledger[str]()
    for _ in range(3):
        ledger.hold("n1", 0.0)
    ledger.redeemed("n1", A, 2)
    assert ledger.count("n1") == 1


def test_only_the_growth_of_the_counter_counts() -> None:
    ledger = Ledger[str]()
    ledger.redeemed("n1", A, 500)
    ledger.hold("n1", 0.0)
    ledger.redeemed("n1", A, 500)
    assert ledger.count("n1") == 1
    ledger.redeemed("n1", A, 501)
    assert ledger.count("n1") == 0


def test_a_counter_that_was_begun_anew_counts_from_zero() -> None:
    """A node forgets an issuer that it has not heard for a minute, and begins again at the next ticket."""
    ledger = Ledger[str]()
    ledger.redeemed("n1", A, 500)
    for _ in range(5):
        ledger.hold("n1", 0.0)
    ledger.redeemed("n1", A, 2)
    assert ledger.count("n1") == 3
    ledger.redeemed("n1", A, 3)
    assert ledger.count("n1") == 2


def test_the_counter_of_a_restarted_node_begins_at_zero() -> None:
    ledger = Ledger[str]()
    ledger.redeemed("n1", A, 500)
    for _ in range(3):
        ledger.hold("n1", 0.0)
    ledger.redeemed("n1", B, 2)
    assert ledger.count("n1") == 1


def test_the_oldest_place_is_dropped_first() -> None:
    ledger = Ledger[str](ttl_s=10.0)
    ledger.hold("n1", 0.0)
    ledger.hold("n1", 5.0)
    ledger.redeemed("n1", A, 1)
    ledger.expire(10.0)
    assert ledger.count("n1") == 1


def test_a_released_place_is_the_last_to_end() -> None:
    ledger = Ledger[str](ttl_s=10.0)
    ledger.hold("n1", 0.0)
    ledger.hold("n1", 5.0)
    ledger.release("n1")
    ledger.expire(10.0)
    assert ledger.count("n1") == 0


def test_releasing_where_nothing_is_held_does_nothing() -> None:
    ledger = Ledger[str]()
    ledger.release("n1")
    ledger.hold("n1", 0.0)
    ledger.release("n1")
    ledger.release("n1")
    assert ledger.count("n1") == 0


def test_more_redeemed_than_held_leaves_nothing_below_zero() -> None:
    ledger = Ledger[str]()
    ledger.hold("n1", 0.0)
    ledger.redeemed("n1", A, 9)
    assert ledger.count("n1") == 0
    ledger.hold("n1", 0.0)
    assert ledger.count("n1") == 1


def test_a_short_place_does_not_wait_for_a_longer_one_before_it() -> None:
    ledger = Ledger[str](ttl_s=10.0)
    ledger.hold("n1", 0.0, ttl_s=60.0)
    ledger.hold("n1", 0.0)
    ledger.expire(10.0)
    assert ledger.count("n1") == 1


def test_nothing_remains_of_a_forgotten_node() -> None:
    ledger = Ledger[str]()
    ledger.redeemed("n1", A, 7)
    ledger.hold("n1", 0.0)
    ledger.forget("n1")
    ledger.hold("n1", 0.0)
    ledger.redeemed("n1", A, 1)
    assert ledger.held() == {}


def test_nodes_do_not_mix() -> None:
    ledger = Ledger[str]()
    ledger.hold("n1", 0.0)
    ledger.hold("n2", 0.0)
    ledger.redeemed("n1", A, 1)
    assert ledger.held() == {"n2": 1}


def test_many_places_are_as_many_single_ones() -> None:
    many, single = Ledger[str](), Ledger[str]()
    for ttl_s in (5.0, 9.0, 2.0):
        many.hold("n1", 0.0, ttl_s, 3)
        for _ in range(3):
            single.hold("n1", 0.0, ttl_s)
    for now in (1.0, 2.0, 5.0, 9.0):
        assert many.expire(now) == single.expire(now)
        assert many.count("n1") == single.count("n1")
