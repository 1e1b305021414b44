"""The book of a gateway's backends: who offers them, when they are drained, and until when they are claimed."""

import asyncio
from collections.abc import Callable

import pytest

from ringway.gateway.backends.book import CHANGES_A_TURN, EMPTY_S, BackendBook
from ringway.protocol.backend import Backend
from ringway.sources.sink import Offer
from ringway.types import NodeName
from support.log_capture import capture_logs

A, B = NodeName("a"), NodeName("b")


class World:
    """A book with the states that it has set; `held` are the backends with connections."""

    def __init__(self) -> None:
        self.now = 100.0
        self.held: set[NodeName] = set()
        self.states: list[tuple[NodeName, bool, float]] = []
        self.book = BackendBook(
            lambda *state: self.states.append(state), self.held.__contains__, lambda: self.now, lambda: self.now
        )

    def pass_s(self, seconds: float) -> None:
        self.now += seconds
        self.book.tick()


def backend(name: NodeName = A, port: int = 1, **facts) -> Backend:
    return Backend(name=name, url=f"ws://127.0.0.1:{port}", **facts)


def offers(*backends: Backend, **facts) -> dict[NodeName, Offer]:
    return {each.name: Offer(each, **facts) for each in backends}


@pytest.fixture
def world() -> World:
    return World()


def test_what_a_source_offers_is_claimed_from_the_time_of_its_last_change(world):
    world.book.update("file", offers(backend(), backend(B)))
    world.now += 5
    world.book.update("file", offers(backend(weight=2.0), backend(B)))
    claims = world.book.claims()
    assert (claims[A].since, claims[A].backend.weight) == (105.0, 2.0)
    assert claims[B].since == 100.0


def test_news_of_utilisation_is_no_new_claim(world):
    world.book.update("file", offers(backend()))
    version, world.now = world.book.version, 130.0
    world.book.update("file", offers(backend(), utilisation={"cpu": 0.5}))
    assert world.book.claims()[A].utilisation == {"cpu": 0.5}
    assert (world.book.claims()[A].since, world.book.version) == (100.0, version)


def test_a_claim_carries_the_lease_of_a_server_that_registered(world):
    world.book.update("registration", offers(backend(), lease_s=30.0))
    assert world.book.claims()[A].lease_s == 30.0
    world.book.update("registration", offers(backend(), lease_s=3.0))
    assert (world.book.claims()[A].lease_s, world.book.claims()[A].since) == (3.0, 100.0)


def test_a_claim_names_its_source_while_it_is_offered_unless_the_server_registered(world):
    world.book.update("file", offers(backend()))
    world.book.update("registration", offers(backend(B), lease_s=3.0))
    assert [world.book.claims()[name].source for name in (A, B)] == ["file", ""]
    world.book.update("file", {})
    assert world.book.claims()[A].source == ""
    world.book.update("file", offers(backend()))
    assert world.book.claims()[A].source == "file"


def test_a_backend_that_is_offered_no_more_drains_and_is_claimed_until_it_was_empty_for_a_while(world):
    world.book.update("file", offers(backend()))
    world.held.add(A)
    world.book.update("file", {})
    assert world.states == [(A, True, 0.0)]
    world.pass_s(60)
    assert A in world.book.claims()
    world.held.clear()
    world.pass_s(EMPTY_S - 0.1)
    assert A in world.book.claims()
    world.pass_s(0.2)
    assert not world.book.claims()


def test_one_that_comes_back_while_it_leaves_gets_newcomers_again(world):
    world.book.update("file", offers(backend()))
    world.book.update("file", {})
    world.book.update("file", offers(backend()))
    assert world.states == [(A, True, 0.0), (A, False, 0.0)]
    world.pass_s(60)
    assert A in world.book.claims()


def test_one_that_is_lost_is_claimed_no_more_and_is_not_drained(world):
    world.book.update("eureka", offers(backend(), backend(B)))
    world.held.add(A)
    world.book.update("eureka", offers(backend(B)), lost=[A])
    assert list(world.book.claims()) == [B]
    assert not world.states


def test_the_first_source_of_a_name_keeps_it_until_it_lets_it_go(world):
    world.book.update("file", offers(backend(port=1)))
    with capture_logs() as log:
        for _ in range(3):
            world.book.update("dns", offers(backend(port=2)))
    assert world.book.claims()[A].backend.url == "ws://127.0.0.1:1"
    assert sum("two sources offer one backend" in str(line) for line in log) == 1
    world.book.update("dns", {})
    assert not world.states, "the source that was ignored drains nothing"
    world.book.update("file", {})
    world.book.update("dns", offers(backend(port=2)))
    assert world.book.claims()[A].backend.url == "ws://127.0.0.1:2"


def test_the_drain_of_a_source_is_known_for_the_incarnation_that_it_offers(world):
    world.book.update("file", offers(backend(), draining=True, within_s=20.0))
    assert world.book.drain_of(A, backend().incarnation) == 20.0
    assert world.book.drain_of(A, backend(port=2).incarnation) is None
    world.book.update("file", offers(backend(port=2), draining=True, within_s=30.0))
    assert world.book.drain_of(A, backend(port=2).incarnation) == 30.0, "another server is drained as well"
    world.book.update("file", offers(backend(port=2)))
    assert world.book.drain_of(A, backend(port=2).incarnation) is None
    world.book.update("file", {})
    assert world.book.drain_of(A, backend(port=2).incarnation) == 0.0, "it leaves"
    assert world.book.drain_of(B, backend(B).incarnation) is None


def test_a_state_is_set_when_the_source_changes_it_and_not_with_each_reading(world):
    for draining in (False, True, True, False, False):
        world.book.update("file", offers(backend(), draining=draining, within_s=9.0))
    assert world.states == [(A, True, 9.0), (A, False, 9.0)]


def test_a_problem_of_a_source_is_kept_until_it_ends(world):
    world.book.report_problem("file", "line 3 cannot be read")
    assert world.book.problems == {"file": "line 3 cannot be read"}
    world.book.report_problem("file", "")
    assert world.book.problems == {}


def test_a_source_may_change_a_part_of_its_offers(world):
    world.book.update("registration", offers(backend(), backend(B)))
    world.book.change("registration", offers(backend(weight=2.0)))
    assert {name: claim.backend.weight for name, claim in world.book.claims().items()} == {A: 2.0, B: 1.0}
    world.book.change("registration", {}, lost=[A])
    assert list(world.book.claims()) == [B]
    world.book.change("registration", {}, gone=[B])
    assert world.states == [(B, True, 0.0)]
    assert len(world.book.sources["registration"].offers) == 0


def test_one_that_drains_already_since_its_source_offers_it_no_more_may_be_lost(world):
    world.book.update("kubernetes", offers(backend()))
    world.held.add(A)
    world.book.update("kubernetes", {})
    world.book.update("kubernetes", {}, lost=[A])
    assert not world.book.claims()


def many(port: int = 1) -> dict[NodeName, Offer]:
    return offers(*(backend(NodeName(f"b{number}"), port) for number in range(5 * CHANGES_A_TURN)))


async def steps(world: World, count: Callable[[], int]) -> list[int]:
    """Return by how much `count` grows or falls in each turn of the loop, until it rests."""
    changes, before, rested = [], count(), 0
    while rested < 5:
        await asyncio.sleep(0)
        now = count()
        changes.append(abs(now - before))
        rested = 0 if now != before else rested + 1
        before = now
    return changes


async def test_thousands_are_taken_over_some_in_each_turn_of_the_loop_and_let_go_as_well(world):
    world.book.update("file", many())
    assert len(world.book.claims()) == CHANGES_A_TURN
    assert max(await steps(world, lambda: world.book.version)) <= CHANGES_A_TURN
    assert len(world.book.claims()) == len(many())
    world.book.update("file", {})
    assert len(world.states) == CHANGES_A_TURN
    assert max(await steps(world, lambda: len(world.states))) <= CHANGES_A_TURN
    assert len(world.states) == len(many())
    world.pass_s(EMPTY_S)
    assert len(world.book.claims()) == len(many()) - CHANGES_A_TURN
    assert max(await steps(world, lambda: len(world.book.claims()))) <= CHANGES_A_TURN
    assert not world.book.claims()


async def test_what_a_source_says_meanwhile_counts_for_those_that_wait(world):
    world.book.update("file", many())
    world.book.update("file", many(port=2), lost=[])
    waiting = {name: offer for name, offer in many(port=3).items() if name not in world.book.claims()}
    world.book.update("file", waiting)
    await steps(world, lambda: world.book.version)
    urls = {claim.backend.url for claim in world.book.claims().values() if claim.source}
    assert urls == {"ws://127.0.0.1:3"}
    world.book.update("file", {}, lost=list(waiting))
    await steps(world, lambda: len(world.book.claims()))
    assert not set(waiting) & set(world.book.claims())


async def test_a_closed_book_follows_its_sources_no_more(world):
    world.book.update("file", many())
    world.book.close()
    await steps(world, lambda: world.book.version)
    assert len(world.book.claims()) == CHANGES_A_TURN
