"""Orders to backends: split over the gateways that hold their connections, and counted as these consent."""

import msgspec
import pytest

from ringway.balancer.nodes import Nodes
from ringway.core.held_nodes import HeldNodes
from ringway.engine.memory.engine import MemoryEngine, MemoryHub
from ringway.protocol.backend import Backend
from ringway.protocol.backend_share import BackendClaim, BackendShare
from ringway.protocol.order import MoveOrder, NodeConsent, NodeRefusal, decode_node_request, encode, held_address
from ringway.protocol.report import Report
from ringway.types import Incarnation, NodeName, Role
from support.log_capture import capture_logs

A, B = NodeName("a"), NodeName("b")
BACKEND = Backend(name=A, url="ws://127.0.0.1:1")
ORDER = MoveOrder(fence=1, target=B, count=10, within_s=1.0)


class World:
    """Gateways with shares of the backend `a`, and the orders that they got."""

    def __init__(self) -> None:
        self.hub = MemoryHub()
        self.engine: MemoryEngine = self.hub.open()
        self.held = HeldNodes()
        self.nodes = Nodes(self.engine, self.held)
        self.orders: dict[str, MoveOrder] = {}

    async def add(self, gateway: str, refuses: str = "", **share: object) -> None:
        claims = {A: BackendClaim(backend=BACKEND, since=1.0)}
        shares = {A: BackendShare(incarnation=BACKEND.incarnation, **share)}
        concerned = self.held.on_report(
            Report(
                name=NodeName(gateway), incarnation=Incarnation("0000000" + gateway[-1]), role=Role.GATEWAY, seq=1,
                url="http://g", backends=claims, held=shares,
            )
        )  # fmt: skip
        [self.donor] = self.held.read_changes(concerned).reports

        async def handle(raw: bytes) -> bytes:
            order = decode_node_request(raw)
            assert isinstance(order, MoveOrder)
            self.orders[gateway] = order
            return encode(NodeRefusal(why=refuses) if refuses else NodeConsent())

        await self.hub.open().bus.serve(held_address(NodeName(gateway), A), handle)

    def counts(self) -> dict[str, int]:
        return {gateway: order.count for gateway, order in self.orders.items()}


@pytest.fixture
def world() -> World:
    return World()


async def test_an_order_is_split_in_proportion_to_what_each_gateway_can_move(world):
    await world.add("g1", connections=30)
    await world.add("g2", connections=25, cooling=15)
    await world.add("g3")
    assert await world.nodes.order(world.donor, ORDER) == 10
    assert world.counts() in ({"g1": 8, "g2": 2}, {"g1": 7, "g2": 3})
    assert msgspec.structs.replace(world.orders["g1"], count=10) == ORDER, "the rest of the order is the same"


async def test_an_order_by_key_is_split_by_misplaced_keys(world):
    await world.add("g1", connections=30, misplaced={B: 1})
    await world.add("g2", connections=2, misplaced={B: 4})
    order = msgspec.structs.replace(ORDER, owners="0123456789abcdef")
    assert await world.nodes.order(world.donor, order) == 5, "no more than there are"
    assert world.counts() == {"g1": 1, "g2": 4}


async def test_the_part_of_a_gateway_that_refuses_does_not_count(world):
    await world.add("g1", connections=20)
    await world.add("g2", connections=20, refuses="a newer leader")
    with capture_logs() as log:
        assert await world.nodes.order(world.donor, ORDER) == 5
    [line] = [line for line in log if line["event"] == "a node refused"]
    assert (line["node"], line["why"]) == (A, "a newer leader")


async def test_a_gateway_that_is_silent_moves_nothing_and_the_others_do(world):
    await world.add("g1", connections=20)
    concerned = world.held.on_report(
        Report(
            name=NodeName("g2"), incarnation=Incarnation("00000002"), role=Role.GATEWAY, seq=1, url="http://g",
            held={A: BackendShare(incarnation=BACKEND.incarnation, connections=20)},
        )
    )  # fmt: skip
    [world.donor] = world.held.read_changes(concerned).reports
    assert await world.nodes.order(world.donor, ORDER) == 5
