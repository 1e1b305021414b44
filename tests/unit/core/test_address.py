"""Distinction of clients by address, and shares of bounded resources among addresses."""

from collections import Counter
from random import Random

import pytest

from ringway.core.address import EXEMPT, AddressShares, address_of

SHARE = 0.75


@pytest.mark.parametrize(
    ("ip", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::1", "::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", EXEMPT),
        ("a:b", "a:b"),
    ],
    ids=["ipv4", "mapped", "ipv6", "the same /64", "the next /64", "loopback", "scope", "no address", "nonsense"],
)
def test_what_tells_a_client_apart(ip: str, address: str) -> None:
    assert address_of(ip) == address


def taken(shares: AddressShares, address: str, capacity: int, count_max: int = 0) -> int:
    """Let `address` take all that it may."""
    count = 0
    while shares.has_room(address, capacity, SHARE, count_max):
        shares.add(address)
        count += 1
    return count


def test_one_address_alone_gets_its_share_and_the_rest_is_kept() -> None:
    shares = AddressShares()
    assert taken(shares, "a", 1000) == 750
    assert taken(shares, "b", 1000) > 150, "who comes new finds room"
    assert shares.has_room("c", 1000, SHARE)


def test_many_that_take_all_they_can_leave_room_for_the_next() -> None:
    shares = AddressShares()
    for _ in range(1000):
        for address in "abcdefgh":
            if shares.has_room(address, 1000, SHARE):
                shares.add(address)
    assert max(map(shares.count, "abcdefgh")) <= 0.75 * 1000 / (0.25 + 8 * 0.75) + 1
    assert shares.has_room("new", 1000, SHARE)


def test_what_one_gives_back_is_there_for_others() -> None:
    shares = AddressShares()
    taken(shares, "a", 100)
    for _ in range(50):
        shares.remove("a")
    assert taken(shares, "b", 100) >= 40


def test_a_bound_of_its_own_and_no_bound() -> None:
    assert taken(AddressShares(), "a", 1000, count_max=20) == 20
    shares = AddressShares()
    while shares.has_room("a", 1000, 1.0):
        shares.add("a")
    assert shares.total == 1000


def test_small_bounds_let_one_in() -> None:
    for capacity in (1, 2, 3):
        assert taken(AddressShares(), "a", capacity) == capacity


def test_who_is_exempt_has_all_of_the_room_and_none_beyond() -> None:
    shares = AddressShares()
    assert taken(shares, EXEMPT, 100, count_max=5) == 100
    assert not shares.has_room("a", 100, SHARE)
    assert (len(shares), shares.most()) == (0, EXEMPT)


def test_small_is_who_holds_less_than_the_mean() -> None:
    shares = AddressShares()
    assert shares.is_small("a")
    shares.add("a")
    assert not shares.is_small("a"), "alone it is the mean"
    for _ in range(10):
        shares.add("b")
    assert shares.is_small("a")
    assert not shares.is_small("b")
    assert shares.is_small("c")


def test_the_one_that_holds_most_is_known_whatever_comes_and_goes() -> None:
    shares, held, rng = AddressShares(), Counter[str](), Random(5)
    for _ in range(5000):
        address = rng.choice("abcdefg")
        if held[address] and rng.random() < 0.48:
            shares.remove(address)
            held[address] -= 1
        else:
            shares.add(address)
            held[address] += 1
        assert held[shares.most()] == max(held.values())
        assert (shares.total, len(shares)) == (held.total(), sum(1 for count in held.values() if count))
    for address, count in held.items():
        for _ in range(count):
            shares.remove(address)
    assert (shares.total, len(shares), shares.most()) == (0, 0, EXEMPT)
