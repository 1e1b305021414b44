"""Searching through connections that exist in name only."""

import asyncio
from typing import Any

import pytest

import ringway.member.selection as module
from ringway.core.hashing.ring import HashRing
from ringway.member.drain import Drain
from ringway.member.selection import MoveSelection
from ringway.protocol.order import MoveOrder
from ringway.protocol.owners import Owners
from ringway.types import NodeName
from unit.member.fake_holder import FakeConnection, FakeHolder

N1, N2, N3 = NodeName("n1"), NodeName("n2"), NodeName("n3")
Selection = MoveSelection[FakeConnection]
ALL = {N1: 1.0, N2: 1.0, N3: 1.0}


class Searched(FakeHolder):
    """Counts searches: each begins with a look at the clock."""

    def __init__(self) -> None:
        super().__init__([FakeConnection(b"k%d" % number) for number in range(3000)])
        self.searches = 0

    def clock(self) -> float:
        self.searches += 1
        return 10_000.0


@pytest.fixture
def holder() -> Searched:
    return Searched()


@pytest.fixture
def drain() -> Drain:
    return Drain(1800.0)


@pytest.fixture
def selection(holder: Searched, drain: Drain) -> Selection:
    return MoveSelection(N1, holder, drain, b"secret", idle_after_s=10.0, oldest_first=False, clock=holder.clock)


def order(count: int, target: NodeName = N2) -> MoveOrder:
    return MoveOrder(fence=1, target=target, count=count, within_s=0.0)


async def test_one_search_serves_the_orders_of_a_round(holder: Searched, selection: Selection) -> None:
    chosen = [await selection.select_for(order(500, target)) for target in (N2, N3)]
    assert holder.searches == 1
    assert len(set(chosen[0]) | set(chosen[1])) == 1000, "nobody is chosen twice"
    owners = Owners(table="ring", weights=ALL)
    counts = await selection.count_misplaced(owners)
    keyed = await selection.select_for(order(10_000, N3), owners)
    assert holder.searches == 2
    assert set(counts) == {N2, N3}
    table = HashRing(ALL, b"secret")
    assert len(keyed) == counts[N3] - sum(table.owner(client.key) == N3 for client in chosen[0] + chosen[1])
    selection.close()


@pytest.mark.parametrize("change", [{"draining": True}, {"owners": Owners(table="ring", weights=ALL)}])
async def test_another_question_is_another_search(
    holder: Searched, drain: Drain, selection: Selection, change: dict[str, Any]
) -> None:
    await selection.select_for(order(1))
    drain.set_state(draining=change.get("draining", False), within_s=0.0, now=0.0)
    await selection.select_for(order(1), change.get("owners"))
    assert holder.searches == 2
    selection.close()


async def test_who_has_gone_meanwhile_is_not_chosen(holder: Searched, selection: Selection) -> None:
    await selection.select_for(order(0))
    for client in holder.connections[10:]:
        client.is_connected = False
    chosen = await selection.select_for(order(100))
    assert set(chosen) == set(holder.connections[:10])
    assert await selection.select_for(order(100)) == []
    selection.release(chosen)
    assert set(await selection.select_for(order(100))) == set(holder.connections[:10])
    assert holder.searches == 1
    selection.close()


async def test_what_was_found_is_not_kept(
    holder: Searched, selection: Selection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would hold connections that are closed, and not know the new ones."""
    monkeypatch.setattr(module, "KEPT_S", 0.0)
    await selection.select_for(order(1))
    await asyncio.sleep(0.01)
    assert not selection.keeps_search


async def test_requests_at_one_time_wait_for_one_search(holder: Searched, selection: Selection) -> None:
    owners = Owners(table="ring", weights=ALL)
    other = Owners(table="ring", weights={N1: 1.0, N3: 1.0})
    counts = await asyncio.gather(*(selection.count_misplaced(each) for each in (owners, owners, other, owners)))
    assert counts[0] == counts[1] == counts[3]
    assert set(counts[2]) == {N3}
    assert holder.searches == 3
    selection.close()
