from collections import Counter
from dataclasses import dataclass, field, replace

from ringway.core.hashing.ring import HashRing
from ringway.core.victim import PINNED, Choice, Deed, count_misplaced, is_cooling
from ringway.types import NodeName

N1, N2, N3 = NodeName("n1"), NodeName("n2"), NodeName("n3")
NOW = 1000.0


@dataclass(frozen=True)
class Client:
    number: int = 0
    key: bytes = b""
    moved_at: float | None = None
    heard_at: float = 0.0
    channels: tuple[str, ...] = field(default=())


CLIENTS = [Client(number) for number in range(50)]
KEYED = [Client(number, key=b"k%d" % number) for number in range(200)]
RING = HashRing({N1: 1.0, N2: 1.0, N3: 1.0}, b"secret")
SMALLER = HashRing({N1: 1.0, N2: 1.0}, b"secret")


def choose(
    clients: list[Client],
    count: int,
    *,
    cool_down_s: float = 30.0,
    idle_after_s: float = 10.0,
    deed: Deed | None = None,
    oldest_first: bool = False,
) -> list[int]:
    choice = Choice[Client](now=NOW, cool_down_s=cool_down_s, idle_after_s=idle_after_s, deed=deed, target=N2)
    for start in range(0, len(clients), 7):
        choice.offer(clients[start : start + 7])
    return [client.number for client in choice.take(count, oldest_first=oldest_first)]


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
        Client(1, channels=("a", "b")),
        Client(2, channels=("a",)),
        Client(3, channels=("a",)),
        Client(4, heard_at=NOW - 1, channels=("a",)),
        Client(5, heard_at=NOW - 10, channels=("a", "b", "c")),
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
    chosen = choose([*KEYED, *CLIENTS], 1000, deed=Deed(RING), oldest_first=True)
    assert chosen == [client.number for client in KEYED if RING.owner(client.key) == N2]


def test_with_a_table_of_before_only_keys_whose_owner_has_changed() -> None:
    chosen = choose(KEYED, 1000, deed=Deed(SMALLER, before=RING), oldest_first=True)
    assert chosen == [
        client.number for client in KEYED if SMALLER.owner(client.key) == N2 and RING.owner(client.key) == N3
    ]
    assert 0 < len(chosen) < len(KEYED) / 2


def test_misplaced_keys_are_counted_by_owner() -> None:
    owners = Counter(RING.owner(client.key) for client in KEYED)
    own = owners.pop(N1)
    assert count_misplaced([*KEYED, *CLIENTS], Deed(RING), N1, now=0.0, cool_down_s=0.0) == owners
    assert own + sum(owners.values()) == len(KEYED)


def test_keys_that_were_beside_their_owner_before_are_not_misplaced() -> None:
    """A key of n2 that n1 holds since n2 was full has the same owner before and now."""
    assert count_misplaced(KEYED, Deed(RING, before=RING), N1, now=0.0, cool_down_s=0.0) == {}
    joined = count_misplaced(KEYED, Deed(RING, before=SMALLER), N1, now=0.0, cool_down_s=0.0)
    assert joined == {N3: sum(RING.owner(client.key) == N3 for client in KEYED)}


def test_who_may_not_be_moved_is_not_counted_as_misplaced() -> None:
    away = next(client for client in KEYED if RING.owner(client.key) == N2)
    clients = [replace(away, moved_at=moved_at) for moved_at in (NOW - 30, NOW - 29.9, PINNED, None)]
    assert count_misplaced(clients, Deed(RING), N1, now=NOW, cool_down_s=30.0) == {N2: 2}
