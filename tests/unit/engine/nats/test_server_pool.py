import random

import pytest

from ringway.engine.nats.server_pool import ADVERTISED_MAX, AGAIN_S, NatsAddress, ServerPool

A, B, C = NatsAddress("a", 1), NatsAddress("b", 2), NatsAddress("c", 3)


@pytest.fixture
def pool() -> ServerPool:
    return ServerPool([("a", 1), ("b", 2), ("c", 3)], 4222, random.Random(1))


def test_servers_take_turns(pool: ServerPool) -> None:
    assert [pool.next_server(0)[0] for _ in range(4)] == [A, B, C, A]


def test_the_same_server_is_not_tried_again_at_once(pool: ServerPool) -> None:
    single = ServerPool([("a", 1)], 4222, random.Random(1))
    assert single.next_server(10.0) == (A, 0.0)
    assert single.next_server(10.05) == (A, pytest.approx(AGAIN_S - 0.05))
    assert single.next_server(20.0) == (A, 0.0)


def test_each_loss_draws_another_order() -> None:
    first = set()
    for seed in range(50):
        pool = ServerPool([("a", 1), ("b", 2), ("c", 3)], 4222, random.Random(seed))
        pool.draw()
        first.add(pool.order[0])
    assert first == {A, B, C}


def test_a_server_to_avoid_comes_last_once() -> None:
    last = set()
    for seed in range(50):
        pool = ServerPool([("a", 1), ("b", 2), ("c", 3)], 4222, random.Random(seed))
        pool.avoid(B)
        pool.draw()
        assert pool.order[-1] == B
        pool.draw()
        last.add(pool.order[-1])
    assert last == {A, B, C}


def test_the_clusters_servers_are_learnt_and_forgotten(pool: ServerPool) -> None:
    pool.learn(["b:2", "d:4", "[::1]:5", "e", "no port:x", ":", "d:4"], A)
    assert set(pool.order) == {A, B, C, NatsAddress("d", 4), NatsAddress("::1", 5, "a"), NatsAddress("e", 4222)}
    pool.learn(["e"], A)
    assert set(pool.order) == {A, B, C, NatsAddress("e", 4222)}
    pool.learn([], NatsAddress("e", 4222))
    assert NatsAddress("e", 4222) in pool.order  # it is in use
    pool.learn([], A)
    assert pool.order == (A, B, C)


def test_an_advertised_ip_address_is_checked_by_the_name_that_was_proved(pool: ServerPool) -> None:
    pool.learn(["10.0.0.1:4222", "other:4222"], A)
    assert pool.order[3:] in (
        (NatsAddress("10.0.0.1", 4222, "a"), NatsAddress("other", 4222)),
        (NatsAddress("other", 4222), NatsAddress("10.0.0.1", 4222, "a")),
    )
    pool.learn(["10.0.0.2:4222"], NatsAddress("10.0.0.1", 4222, "a"))
    assert NatsAddress("10.0.0.2", 4222, "a") in pool.order
    by_address = ServerPool([("10.0.0.9", 1)], 4222, random.Random(1))
    by_address.learn(["10.0.0.1:4222"], NatsAddress("10.0.0.9", 1))
    assert by_address.order[1] == NatsAddress("10.0.0.1", 4222)


def test_what_is_learnt_is_bounded(pool: ServerPool) -> None:
    pool.learn([f"s{number}" for number in range(2 * ADVERTISED_MAX)], A)
    assert len(pool.order) == 3 + ADVERTISED_MAX
