from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from ringway.core.hashing.ring import HashRing
from ringway.core.move_candidates import PINNED, KeyOwners, Search, is_cooling
from ringway.types import NodeName

N1, N2, N3 = NodeName("n1"), NodeName("n2"), NodeName("n3")
NOW = 1000.0


@dataclass(frozen=True)
class Client:
    number: int = 0
    key: bytes = b""
    moved_at: float | None = None
    heard_at: float = 0.0
    setup_cost: int = 0


CLIENTS = [Client(number) for number in range(50)]
KEYED = [Client(number, key=b"k%d" % number) for number in range(200)]
RING = HashRing({N1: 1.0, N2: 1.0, N3: 1.0}, b"secret")
SMALLER = HashRing({N1: 1.0, N2: 1.0}, b"secret")


def search(
    clients: list[Client], *, cool_down_s: float = 30.0, idle_after_s: float = 10.0, owners: KeyOwners | None = None
) -> Search[Client]:
    found = Search[Client](now=NOW, cool_down_s=cool_down_s, idle_after_s=idle_after_s, owners=owners)
    for start in range(0, len(clients), 7):
        found.offer(clients[start : start + 7])
    return found


def anybody(_: Client) -> bool:
    return True


def choose(clients: list[Client], count: int, *, oldest_first: bool = False, **how: Any) -> list[int]:
    owner = N2 if "owners" in how else None
    return [
        client.number
        for client in search(clients, **how).choose(count, anybody, owner=owner, oldest_first=oldest_first)
    ]


def test_as_many_as_asked_for_and_none_twice() -> None:
    assert len(set(choose(CLIENTS, 20))) == 20
    assert set(choose(CLIENTS, 100)) == set(range(50))
    assert choose(CLIENTS, 0) == []
    assert choose([], 5) == []


def test_who_was_moved_here_lately_stays() -> None:
    clients = [Client(1, moved_at=NOW - 30), Client(2, moved_at=NOW - 29.9), Client(3)]
    assert set(choose(clients, 3)) == {1, 3}
    assert set(choose(clients, 3, cool_down_s=0.0)) == {1, 2, 3}


def test_who_is_pinned_stays_even_when_the_node_drains() -> None:
    clients = [Client(1, moved_at=PINNED), Client(2)]
    assert choose(clients, 2) == [2]
    assert choose(clients, 2, cool_down_s=0.0) == [2]
    assert is_cooling(PINNED, NOW, 0.0)


def test_idle_before_busy_then_few_subscriptions_then_the_youngest() -> None:
    clients = [
        Client(0, heard_at=NOW - 1),
        Client(1, setup_cost=2),
        Client(2, setup_cost=1),
        Client(3, setup_cost=1),
        Client(4, heard_at=NOW - 1, setup_cost=1),
        Client(5, heard_at=NOW - 10, setup_cost=3),
        Client(6),
        Client(7),
    ]
    assert choose(clients, 8) == [7, 6, 3, 2, 1, 5, 0, 4]
    assert choose(clients, 8, oldest_first=True) == [6, 7, 2, 3, 1, 5, 0, 4]
    for count in range(9):
        assert choose(clients, count) == [7, 6, 3, 2, 1, 5, 0, 4][:count]
        assert choose(clients, count, oldest_first=True) == [6, 7, 2, 3, 1, 5, 0, 4][:count]


def test_nobody_is_busy_where_idle_means_at_once() -> None:
    clients = [Client(0, heard_at=NOW), Client(1, heard_at=NOW - 50)]
    assert choose(clients, 2, idle_after_s=0.0) == [1, 0]


def test_with_a_table_only_keys_of_the_target() -> None:
    chosen = choose([*KEYED, *CLIENTS], 1000, owners=KeyOwners(RING), oldest_first=True)
    assert chosen == [client.number for client in KEYED if RING.owner(client.key) == N2]


def test_with_a_table_of_before_only_keys_whose_owner_has_changed() -> None:
    chosen = choose(KEYED, 1000, owners=KeyOwners(SMALLER, before=RING), oldest_first=True)
    assert chosen == [
        client.number for client in KEYED if SMALLER.owner(client.key) == N2 and RING.owner(client.key) == N3
    ]
    assert 0 < len(chosen) < len(KEYED) / 2


def test_who_is_not_fit_any_more_makes_room_for_the_next() -> None:
    found = search(CLIENTS)
    assert [client.number for client in found.choose(3, lambda client: client.number % 2 == 0)] == [48, 46, 44]
    assert len(found.choose(100, lambda client: client.number < 5)) == 5
    assert found.choose(3, lambda _: False) == []


def test_keys_are_counted_by_owner() -> None:
    owners = Counter(RING.owner(client.key) for client in KEYED)
    found = search([*KEYED, *CLIENTS], owners=KeyOwners(RING))
    assert found.count(anybody) == owners
    assert sum(found.count(lambda client: client.number < 20).values()) == 20
    assert found.count(lambda _: False) == {}


def test_a_search_serves_every_owner() -> None:
    found = search(KEYED, owners=KeyOwners(RING))
    taken = [client for owner in (N1, N2, N3) for client in found.choose(1000, anybody, owner=owner)]
    assert sorted(client.number for client in taken) == list(range(200))
    assert {RING.owner(client.key) for client in found.choose(1000, anybody, owner=N3)} == {N3}
    assert found.choose(1000, anybody, owner=NodeName("n9")) == []


def test_keys_whose_owner_was_the_same_before_are_left_where_they_are() -> None:
    """A key of n2 that n1 holds since n2 was full has the same owner before and now."""
    assert search(KEYED, owners=KeyOwners(RING, before=RING)).count(anybody) == {}
    joined = search(KEYED, owners=KeyOwners(RING, before=SMALLER)).count(anybody)
    assert joined == {N3: sum(RING.owner(client.key) == N3 for client in KEYED)}


def test_who_may_not_be_moved_is_not_counted() -> None:
    away = next(client for client in KEYED if RING.owner(client.key) == N2)
    clients = [replace(away, moved_at=moved_at) for moved_at in (NOW - 30, NOW - 29.9, PINNED, None)]
    assert search(clients, owners=KeyOwners(RING)).count(anybody) == {N2: 2}


def test_without_a_cool_down_only_the_pinned_stay_also_in_the_second_of_their_move():
    assert is_cooling(101.0, 100.5, 1.0)
    assert not is_cooling(101.0, 100.5, 0.0)
    assert is_cooling(PINNED, 100.5, 0.0)
