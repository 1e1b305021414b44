"""Orders for clients that must be closed: gateways know of a client before it is told, and of many by one message."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from gateway_kit import Rig, eventually, handshake
from move_kit import SLOW_S, Node, told

from ringway.gateway.backends import expectations
from ringway.gateway.backends.expectations import Expectations
from ringway.ports import Handler
from ringway.protocol.expected import Expect, decode_expect
from ringway.protocol.order import MoveOrder, NodeConsent, decode_node_answer, encode, held_address
from ringway.types import Incarnation, NodeName
from support.held_backends import NAME

CLIENTS = 12
B0, B1 = NodeName("b0"), NodeName("b1")


class OtherGateway:
    """A second gateway, which answers what it hears when `may_answer` is set."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._bus = rig.held.hub.open().bus
        self.told: list[int] = []  # how many clients each message expects
        self.closed_before: list[int] = []  # how many clients had been told to leave at each answer
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.expectations = Expectations(
            NodeName("gateway-2"), Incarnation("00000002"), self, b"", lambda: 2, lambda client: None
        )

    async def serve(self, address: str, handler: Handler):
        async def hear(raw: bytes) -> bytes | None:
            message = decode_expect(raw)
            if isinstance(message, Expect):
                self.told.append(len(message.clients))
                await self.may_answer.wait()
                await asyncio.sleep(0.05)  # a client that is told too early would be told now
                self.closed_before.append(self._rig.stats.cut["moved"])
            return await handler(raw)

        return await self._bus.serve(address, hear)

    async def gather(self, *args, **more):
        return await self._bus.gather(*args, **more)


class World:
    """A gateway with `CLIENTS` at the first of two backends, and a second gateway on its bus."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.other = OtherGateway(rig)
        self.clients = []

    async def start(self) -> None:
        await self.rig.held.expectations.start()
        await self.other.expectations.start()
        for _ in range(CLIENTS):
            client = await self.rig.dial()
            await client.send(handshake("/"))
            assert (await client.head())[0] == 101
            self.clients.append(client)
        self.rig.held.gateways = 2
        await eventually(lambda: self.share.connections == CLIENTS, SLOW_S)

    @property
    def share(self):
        return self.rig.held.holding.shares()[B0]

    async def order(self, count: int) -> None:
        request = encode(MoveOrder(fence=1, target=B1, count=count, within_s=0.0))
        bus = self.rig.held.hub.open().bus
        answer = await bus.call(held_address(NAME, B0), request, timeout_s=SLOW_S)
        assert decode_node_answer(answer) == NodeConsent()


@pytest.fixture
async def world(start_rig, monkeypatch) -> AsyncIterator[World]:
    monkeypatch.setattr(expectations, "ANSWER_S", SLOW_S)  # a slow machine must not pass for a silent gateway
    async with AsyncExitStack() as stack:
        specs = []
        for name, weight in (("b0", 1000), ("b1", 1)):
            url = await stack.enter_async_context(Node(name).listen())
            specs.append(f"{url},name={name},weight={weight},on-move=close")
        world = World(await start_rig(*specs, policy="least-connected", leave_deadline_s=0.0))
        await world.start()
        yield world
        world.other.may_answer.set()
        await world.rig.hang_up()
        await world.other.expectations.stop()


async def test_one_message_tells_of_all_clients_of_an_order_before_any_of_them_is_closed(world):
    await world.order(CLIENTS)
    for client in world.clients:
        assert await told(client) == (1012, "moved: reconnect")
    assert world.other.told == [CLIENTS]
    assert world.other.closed_before == [0]
    assert (world.share.moved, world.share.reserved) == ({B1: CLIENTS}, {B1: CLIENTS})


async def test_clients_that_are_being_promised_a_place_are_not_chosen_for_the_next_order(world):
    world.other.may_answer.clear()
    await world.order(CLIENTS // 2)
    await eventually(lambda: world.share.reserved == {B1: CLIENTS // 2})
    assert world.share.connections == CLIENTS // 2, "they count as gone, as their places are held"
    await world.order(CLIENTS)
    world.other.may_answer.set()
    for client in world.clients:
        assert await told(client) == (1012, "moved: reconnect")
    assert world.share.moved == {B1: CLIENTS}


async def test_promises_that_are_cancelled_hold_no_place_and_their_clients_stay(world):
    world.other.may_answer.clear()
    await world.order(CLIENTS)
    await eventually(lambda: world.other.told == [CLIENTS])
    assert world.share.reserved == {B1: CLIENTS}
    await world.rig.held.moves.stop()
    assert world.share.reserved == {}
    assert world.share.connections == CLIENTS
    assert all(relay.may_leave for relay in world.rig.gateway.relays)
    world.other.may_answer.set()
    await eventually(lambda: not len(world.other.expectations))
    assert world.rig.stats.cut["moved"] == 0
