"""Orders, to a holder whose connections exist in name only."""

import asyncio
import time

import pytest

from ringway.engine.memory.engine import MemoryHub
from ringway.member.drain import Drain
from ringway.member.orders import AVOID_MAX, WITHIN_S_MAX, OrderHandler
from ringway.member.selection import MoveSelection
from ringway.protocol.order import (
    DRAIN_WITHIN_S_MAX,
    MoveOrder,
    NodeAnswer,
    NodeConsent,
    NodeRefusal,
    NodeRequest,
    SetState,
    Unreached,
    decode_node_answer,
    encode,
    node_address,
)
from ringway.protocol.owners import Owners
from ringway.types import NodeName, NodeState
from unit.member.fake_holder import FakeConnection, FakeHolder

N1, N2, N3 = NodeName("n1"), NodeName("n2"), NodeName("n3")


OWNERS = {
    "of n2": Owners(table="rendezvous", weights={N2: 1.0}),
    "of n3": Owners(table="rendezvous", weights={N3: 1.0}),
}


class Ordered:
    """A member that receives orders."""

    def __init__(self) -> None:
        self.holder = FakeHolder()
        self.drain = Drain(0.0)
        self.hub = MemoryHub()
        self.unreached: list[Unreached] = []
        selection = MoveSelection(
            N1, self.holder, self.drain, b"", idle_after_s=0.0, oldest_first=True, clock=time.monotonic
        )
        self.handler: OrderHandler[FakeConnection] = OrderHandler(
            N1, self.hub.open().bus, self.holder, selection, self.drain, time.monotonic, OWNERS.get,
            on_unreached=self.unreached.append,
        )  # fmt: skip

    async def order(self, request: NodeRequest) -> NodeAnswer:
        return decode_node_answer(await self.handler.handle(encode(request)))

    def targets(self) -> list[NodeName | None]:
        return [connection.sent_to for connection in self.holder.connections]


@pytest.fixture
def ordered() -> Ordered:
    return Ordered()


def move(count: int, fence: int = 1, target: NodeName = N2, within_s: float = 0.0, **more: str) -> MoveOrder:
    return MoveOrder(fence=fence, target=target, count=count, within_s=within_s, **more)


async def test_so_many_are_moved_as_were_ordered(ordered: Ordered) -> None:
    assert await ordered.order(move(4)) == NodeConsent()
    await asyncio.sleep(0.05)
    assert ordered.targets() == [N2] * 4 + [None] * 6


async def test_by_known_owners_keys_of_the_target_are_moved_alone(ordered: Ordered) -> None:
    for connection in ordered.holder.connections[:4]:
        connection.key = b"a key of n2, the only one that owns any"
    assert await ordered.order(move(10, owners="of n2")) == NodeConsent()
    await asyncio.sleep(0.05)
    assert ordered.targets() == [N2] * 4 + [None] * 6


async def test_a_newer_leader_ends_the_orders_of_an_older_one(ordered: Ordered) -> None:
    await ordered.order(move(10, fence=1, within_s=1.0))
    await asyncio.sleep(0.05)
    assert await ordered.order(move(0, fence=2)) == NodeConsent()
    await asyncio.sleep(0.2)
    assert ordered.targets().count(N2) == 1
    assert isinstance(await ordered.order(move(1, fence=1)), NodeRefusal)


@pytest.mark.parametrize(
    "request_",
    [
        move(1, target=N1),
        move(-1),
        move(1, within_s=WITHIN_S_MAX + 1),
        move(1, owners="of n3"),
        move(1, owners="of nobody who is known"),
        SetState(draining=True, within_s=-1.0),
        SetState(draining=True, within_s=DRAIN_WITHIN_S_MAX + 1),
        SetState(draining=True, avoid=tuple(NodeName(f"n{number}") for number in range(AVOID_MAX + 1))),
    ],
    ids=str,
)
async def test_orders_that_make_no_sense_are_refused(ordered: Ordered, request_: NodeRequest) -> None:
    assert isinstance(await ordered.order(request_), NodeRefusal)
    assert ordered.drain.state is NodeState.ACTIVE
    assert ordered.holder.left() == 10


async def test_bytes_that_are_no_request_are_refused(ordered: Ordered) -> None:
    assert isinstance(decode_node_answer(await ordered.handler.handle(b"nonsense")), NodeRefusal)


async def test_a_drain_is_begun_and_called_off(ordered: Ordered) -> None:
    assert await ordered.order(SetState(draining=True, within_s=60.0, avoid=(N3,))) == NodeConsent()
    assert ordered.drain.state is NodeState.DRAINING
    assert ordered.drain.avoid == (N3,)
    assert 59.0 < ordered.drain.left_s(time.monotonic()) <= 60.0
    await ordered.order(SetState(draining=False))
    assert ordered.drain.state is NodeState.ACTIVE


async def test_a_member_that_stops_changes_its_state_no_more(ordered: Ordered) -> None:
    ordered.drain.begin_stop(30.0, time.monotonic())
    assert isinstance(await ordered.order(SetState(draining=False)), NodeRefusal)
    assert ordered.drain.state is NodeState.DRAINING


async def test_it_is_reached_by_its_address_until_it_stops(ordered: Ordered) -> None:
    await ordered.handler.start()
    bus = ordered.hub.open().bus
    answer = await bus.call(node_address(N1), encode(move(2, within_s=60.0)), timeout_s=5)
    assert decode_node_answer(answer) == NodeConsent()
    await asyncio.sleep(0.05)
    await ordered.handler.stop()
    assert ordered.targets().count(N2) == 1, "orders under way are dropped"


async def test_the_notice_of_a_gateway_that_could_not_open_the_member_is_handed_on(ordered: Ordered) -> None:
    notice = Unreached(gateway=NodeName("g1"), why="its URL cannot be reached")
    assert await ordered.order(notice) == NodeConsent()
    assert ordered.unreached == [notice]
