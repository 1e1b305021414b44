from collections import Counter
from dataclasses import dataclass
from random import Random

from ringway.core.hashing.ring import HashRing
from ringway.core.victim import choose_victims, count_misplaced
from ringway.types import NodeName

N1, N2, N3 = NodeName("n1"), NodeName("n2"), NodeName("n3")


@dataclass(frozen=True)
class Client:
    key: bytes = b""
    moved_at: float | None = None
    number: int = 0


CLIENTS = [Client(number=number) for number in range(50)]
KEYED = [Client(key=b"k%d" % number) for number in range(200)]
RING = HashRing({N1: 1.0, N2: 1.0, N3: 1.0}, b"secret")


def choose(clients: list[Client], count: int, **how: object) -> list[Client]:
    settings = {"now": 100.0, "cool_down_s": 30.0, **how}
    return choose_victims(clients, count, Random(1), **settings)  # type: ignore[arg-type]


def test_as_many_as_asked_for_and_none_twice() -> None:
    assert len(set(choose(CLIENTS, 20))) == 20
    assert set(choose(CLIENTS, 100)) == set(CLIENTS)
    assert choose(CLIENTS, 0) == []


def test_nobody_is_preferred() -> None:
    rng = Random(5)
    seen = Counter(
        client.number for _ in range(2000) for client in choose_victims(CLIENTS, 5, rng, now=0.0, cool_down_s=0.0)
    )
    assert max(seen.values()) < 1.4 * min(seen.values())


def test_who_was_moved_here_lately_stays() -> None:
    clients = [Client(moved_at=70.0, number=1), Client(moved_at=70.1, number=2), Client(number=3)]
    assert {client.number for client in choose(clients, 3)} == {1, 3}
    assert {client.number for client in choose(clients, 3, cool_down_s=0.0)} == {1, 2, 3}


def test_with_a_ring_only_keys_of_the_target() -> None:
    chosen = choose([*KEYED, *CLIENTS], 1000, owned_by=(RING, N2))
    assert chosen == [client for client in KEYED if RING.owner(client.key) == N2]


def test_misplaced_keys_are_counted_by_owner() -> None:
    owners = Counter(RING.owner(client.key) for client in KEYED)
    own = owners.pop(N1)
    assert count_misplaced([*KEYED, *CLIENTS], RING, N1, now=0.0, cool_down_s=0.0) == owners
    assert own + sum(owners.values()) == len(KEYED)


def test_who_was_moved_here_lately_is_not_counted_as_misplaced() -> None:
    away = next(client.key for client in KEYED if RING.owner(client.key) == N2)
    clients = [Client(key=away, moved_at=70.0), Client(key=away, moved_at=70.1), Client(key=away)]
    assert count_misplaced(clients, RING, N1, now=100.0, cool_down_s=30.0) == {N2: 2}
