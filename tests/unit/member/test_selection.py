"""Searching through connections that exist in name only."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

import ringway.member.selection as module
from ringway.core.hashing.ring import HashRing
from ringway.member.selection import Picker
from ringway.node.config.node import NodeConfig
from ringway.protocol.order import MoveOrder, Owners
from ringway.types import NodeName

N1, N2, N3 = NodeName("n1"), NodeName("n2"), NodeName("n3")
ALL = {N1: 1.0, N2: 1.0, N3: 1.0}


@dataclass(eq=False)
class Client:
    key: bytes = b""
    is_connected: bool = True
    moved_at: float | None = None
    heard_at: float = 0.0
    channels: tuple[str, ...] = ()

    @property
    def may_leave(self) -> bool:
        return self.is_connected


@dataclass
class Node:
    roster: list[Client] = field(default_factory=lambda: [Client(b"k%d" % number) for number in range(3000)])
    name: NodeName = N1
    config: NodeConfig = field(default_factory=NodeConfig)
    cool_down_s: float = 1800.0
    looked: int = 0

    def clock(self) -> float:
        self.looked += 1  # once a search
        return 10_000.0


@pytest.fixture
def node() -> Node:
    return Node()


@pytest.fixture
def picker(node: Any) -> Picker:
    return Picker(node, b"secret")


def order(count: int, target: NodeName = N2, owners: Owners | None = None) -> MoveOrder:
    return MoveOrder(fence=1, target=target, count=count, within_s=0.0, owners=owners)


async def test_one_search_serves_the_orders_of_a_round(node: Node, picker: Picker) -> None:
    chosen = [await picker.choose(order(500, target)) for target in (N2, N3)]
    assert node.looked == 1
    assert len(set(chosen[0]) | set(chosen[1])) == 1000, "nobody is chosen twice"
    owners = Owners(table="ring", weights=ALL)
    counts = await picker.count(owners)
    keyed = await picker.choose(order(10_000, N3, owners))
    assert node.looked == 2
    assert set(counts) == {N2, N3}
    table = HashRing(ALL, b"secret")
    assert len(keyed) == counts[N3] - sum(table.owner(client.key) == N3 for client in chosen[0] + chosen[1])
    picker.close()


@pytest.mark.parametrize("change", [{"cool_down_s": 0.0}, {"owners": Owners(table="ring", weights=ALL)}])
async def test_another_question_is_another_search(node: Node, picker: Picker, change: dict[str, Any]) -> None:
    await picker.choose(order(1))
    node.cool_down_s = change.get("cool_down_s", node.cool_down_s)
    await picker.choose(order(1, owners=change.get("owners")))
    assert node.looked == 2
    picker.close()


async def test_who_has_gone_meanwhile_is_not_chosen(node: Node, picker: Picker) -> None:
    await picker.choose(order(0))
    for client in node.roster[10:]:
        client.is_connected = False
    chosen = await picker.choose(order(100))
    assert set(chosen) == set(node.roster[:10])
    assert await picker.choose(order(100)) == []
    picker.release(chosen)
    assert set(await picker.choose(order(100))) == set(node.roster[:10])
    assert node.looked == 1
    picker.close()


async def test_what_was_found_is_not_kept(node: Node, picker: Picker, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would hold connections that are closed, and not know the new ones."""
    monkeypatch.setattr(module, "KEPT_S", 0.0)
    await picker.choose(order(1))
    await asyncio.sleep(0.01)
    assert picker._kept is None


async def test_requests_at_one_time_wait_for_one_search(node: Node, picker: Picker) -> None:
    owners = Owners(table="ring", weights=ALL)
    other = Owners(table="ring", weights={N1: 1.0, N3: 1.0})
    counts = await asyncio.gather(*(picker.count(each) for each in (owners, owners, other, owners)))
    assert counts[0] == counts[1] == counts[3]
    assert set(counts[2]) == {N3}
    assert node.looked == 3
    picker.close()
