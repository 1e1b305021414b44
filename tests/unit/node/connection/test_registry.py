from dataclasses import dataclass
from typing import Any

from ringway.core.credentials import ANONYMOUS, Credentials
from ringway.core.move_candidates import PINNED
from ringway.node.connection.registry import ConnectionRegistry


@dataclass(eq=False)
class Client:
    moved_at: float | None = None
    address: str = "192.0.2.1"
    credentials: Credentials = ANONYMOUS


def joined(registry: Any, moved_at: float | None) -> Client:
    client = Client(moved_at)
    registry.on_opened(client, 0.0)
    registry.on_connected(client)
    return client


def left(registry: Any, client: Client) -> None:
    registry.on_closing(client, was_connected=True)
    registry.on_gone(client)


def test_they_are_told_in_the_order_in_which_they_came() -> None:
    registry: Any = ConnectionRegistry(0.0)
    clients = [joined(registry, None) for _ in range(100)]
    for client in clients[::3]:
        left(registry, client)
    clients = [client for index, client in enumerate(clients) if index % 3] + [joined(registry, None)]
    assert list(registry) == clients
    assert registry.connected == len(clients)


def test_those_that_may_not_be_moved_are_counted() -> None:
    registry: Any = ConnectionRegistry(0.0)
    clients = [joined(registry, moved_at) for moved_at in (None, 100.0, 100.0, 101.0, PINNED)]
    registry.on_opened(Client(PINNED), 0.0)  # does not count before it is connected
    assert registry.cooling(120.0, 30.0) == 4
    assert registry.cooling(130.0, 30.0) == 2
    assert registry.cooling(131.0, 30.0) == 1
    assert registry.cooling(120.0, 0.0) == 1, "who is pinned stays while the node drains as well"
    left(registry, clients[1])
    left(registry, clients[4])
    assert registry.cooling(120.0, 30.0) == 2


def test_what_has_cooled_is_forgotten() -> None:
    registry: Any = ConnectionRegistry(0.0)
    clients = [joined(registry, moved_at) for moved_at in (100.0, 101.0, PINNED)]
    registry.tick(130.0, 30.0)
    assert len(registry.seconds_kept) == 2
    left(registry, clients[0])
    left(registry, clients[1])
    registry.tick(131.0, 30.0)
    assert registry.seconds_kept == (PINNED,)
    assert registry.cooling(131.0, 30.0) == 1


def test_they_are_counted_by_address_and_those_without_a_command_may_have_to_go() -> None:
    registry: Any = ConnectionRegistry(0.0)
    waiting = [Client(address="a") for _ in range(3)]
    for client in waiting:
        registry.on_opened(client, 0.0)
    other = joined(registry, None)
    assert (registry.shares.count("a"), registry.shares.count(other.address), registry.waiting) == (3, 1, 3)
    assert registry.victim(10.0, "b") is waiting[0]
    registry.on_closing(waiting[0], was_connected=False)
    assert registry.victim(10.0, "b") is waiting[1]
    registry.on_gone(waiting[0])
    registry.on_gone(waiting[0])
    left(registry, other)
    assert (registry.shares.total, registry.waiting) == (2, 2)


def test_they_are_found_by_their_user_while_they_are_connected() -> None:
    registry: Any = ConnectionRegistry(0.0)
    carol, anonymous = [Client(credentials=Credentials("carol")) for _ in range(3)], Client()
    for client in (*carol, anonymous):
        registry.on_opened(client, 0.0)
    assert registry.of_user("carol") == [], "a client is its user's from its connect command on"
    for client in (*carol, anonymous):
        registry.on_connected(client)
    assert (registry.of_user("carol"), registry.count_of_user("carol"), registry.users) == (carol, 3, 1)
    assert (registry.of_user(""), registry.of_user("dave")) == ([], [])
    left(registry, carol[1])
    left(registry, anonymous)
    assert registry.of_user("carol") == [carol[0], carol[2]]
