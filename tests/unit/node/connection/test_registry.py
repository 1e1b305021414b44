from dataclasses import dataclass
from typing import Any

from ringway.core.move_candidates import PINNED
from ringway.node.connection.registry import Roster


@dataclass(eq=False)
class Client:
    moved_at: float | None = None
    address: str = "192.0.2.1"


def joined(roster: Any, moved_at: float | None) -> Client:
    client = Client(moved_at)
    roster.arrived(client, 0.0)
    roster.welcomed(client)
    return client


def left(roster: Any, client: Client) -> None:
    roster.closing(client, was_connected=True)
    roster.gone(client)


def test_they_are_told_in_the_order_in_which_they_came() -> None:
    roster: Any = Roster()
    clients = [joined(roster, None) for _ in range(100)]
    for client in clients[::3]:
        left(roster, client)
    clients = [client for index, client in enumerate(clients) if index % 3] + [joined(roster, None)]
    assert list(roster) == clients
    assert roster.connected == len(clients)


def test_those_that_may_not_be_moved_are_counted() -> None:
    roster: Any = Roster()
    clients = [joined(roster, moved_at) for moved_at in (None, 100.0, 100.0, 101.0, PINNED)]
    roster.arrived(Client(PINNED), 0.0)  # does not count before it is connected
    assert roster.cooling(120.0, 30.0) == 4
    assert roster.cooling(130.0, 30.0) == 2
    assert roster.cooling(131.0, 30.0) == 1
    assert roster.cooling(120.0, 0.0) == 1, "who is pinned stays while the node drains as well"
    left(roster, clients[1])
    left(roster, clients[4])
    assert roster.cooling(120.0, 30.0) == 2


def test_what_has_cooled_is_forgotten() -> None:
    roster: Any = Roster()
    clients = [joined(roster, moved_at) for moved_at in (100.0, 101.0, PINNED)]
    roster.sweep(130.0, 30.0)
    assert len(roster._stay) == 2
    left(roster, clients[0])
    left(roster, clients[1])
    roster.sweep(130.0, 30.0)
    assert dict(roster._stay) == {PINNED: 1}
    assert roster.cooling(130.0, 30.0) == 1


def test_they_are_counted_by_address_and_those_without_a_command_may_have_to_go() -> None:
    roster: Any = Roster()
    waiting = [Client(address="a") for _ in range(3)]
    for client in waiting:
        roster.arrived(client, 0.0)
    other = joined(roster, None)
    assert (roster.shares.count("a"), roster.shares.count(other.address), roster.waiting) == (3, 1, 3)
    assert roster.victim(10.0, "b") is waiting[0]
    roster.closing(waiting[0], was_connected=False)
    assert roster.victim(10.0, "b") is waiting[1]
    roster.gone(waiting[0])
    roster.gone(waiting[0])
    left(roster, other)
    assert (roster.shares.total, roster.waiting) == (2, 2)
