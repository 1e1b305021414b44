"""What the connections of a user, or of an address, may do together."""

from typing import Any

import pytest

from ringway.core.credentials import ANONYMOUS, Credentials
from ringway.node.config.node import NodeConfig
from ringway.node.connection.shares import ClientShares


class Somebody:
    def __init__(self, user: str = "carol", address: str = "10.0.0.1") -> None:
        self.credentials = Credentials(user=user) if user else ANONYMOUS
        self.address = address


def shares(**settings: Any) -> ClientShares:
    return ClientShares(NodeConfig(**settings))


CAROL, AT_HOME, DAVE = Somebody(), Somebody(address="10.0.0.2"), Somebody("dave")


def test_without_a_limit_everything_is_admitted() -> None:
    none = shares()
    assert (none.has_rates, none.counts) == (False, False)
    assert none.admit(CAROL, 0.0, 10**6) == 10**6
    assert not none.receive(CAROL, 0.0, 10**9)
    assert none.lack_of_room(CAROL) == ""


def test_the_connections_of_a_user_share_a_rate_and_those_of_others_do_not() -> None:
    of = shares(user_commands_per_s=10, user_commands_burst=5)
    assert of.has_rates
    assert [of.admit(CAROL, 0.0, 3), of.admit(AT_HOME, 0.0, 3), of.admit(AT_HOME, 0.0, 1)] == [3, 2, 0]
    assert of.admit(DAVE, 0.0, 3) == 3
    assert [of.admit(CAROL, 0.2, 9), of.admit(CAROL, 100.0, 9)] == [2, 5]


def test_the_connections_of_an_address_share_a_rate_whoever_they_are() -> None:
    of = shares(address_commands_per_s=10)
    assert [of.admit(CAROL, 0.0, 15), of.admit(DAVE, 0.0, 15), of.admit(AT_HOME, 0.0, 15)] == [15, 5, 15]


def test_the_anonymous_are_of_no_user_and_some_clients_of_no_address() -> None:
    of = shares(user_commands_per_s=1, address_commands_per_s=1, user_subscriptions_max=1, address_subscriptions_max=1)
    nobody = Somebody("", "")
    assert of.admit(nobody, 0.0, 1000) == 1000
    of.add(nobody, 5)
    assert of.lack_of_room(nobody) == ""
    assert of.due_s(nobody, 0.0) == 0.0


def test_over_a_rate_below_one_a_second_one_command_is_admitted() -> None:
    of = shares(user_commands_per_s=0.1)
    assert [of.admit(CAROL, at, 5) for at in (0.0, 5.0, 10.0)] == [1, 0, 1]


@pytest.mark.parametrize("setting", ["user", "address"])
def test_bytes_beyond_the_burst_stop_the_reading_until_they_are_paid_for(setting: str) -> None:
    of = shares(**{f"{setting}_bytes_per_s": 100_000, f"{setting}_bytes_burst": 200_000})
    assert not of.receive(CAROL, 0.0, 150_000)
    assert of.receive(CAROL, 0.0, 100_000)
    assert of.due_s(CAROL, 0.0) == pytest.approx(0.5)
    assert of.due_s(Somebody("eve", "10.0.0.9"), 0.0) == 0.0
    assert of.due_s(CAROL, 0.5) == pytest.approx(0.0)


def test_a_message_of_the_longest_size_is_within_every_burst() -> None:
    of = shares(user_bytes_per_s=1024, user_bytes_burst=1)
    assert not of.receive(CAROL, 0.0, 64 * 1024)


def test_subscriptions_are_counted_for_user_and_address() -> None:
    of = shares(user_subscriptions_max=2, address_subscriptions_max=3)
    assert of.counts
    of.add(CAROL, 1)
    of.add(AT_HOME, 1)
    assert "2 subscriptions at this node (user_subscriptions_max)" in of.lack_of_room(CAROL)
    assert of.lack_of_room(DAVE) == ""
    of.add(DAVE, 2)
    assert "(address_subscriptions_max)" in of.lack_of_room(Somebody("eve"))
    of.add(CAROL, -1)
    assert of.lack_of_room(CAROL) == ""
    assert of.lack_of_room(Somebody("eve")) == ""
