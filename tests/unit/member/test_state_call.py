"""The call that drains a node or a backend: consent, refusal and silence, of one or of several gateways."""

from collections.abc import AsyncIterator

import pytest

from ringway.engine.memory.engine import MemoryEngine, MemoryHub
from ringway.member.state_call import call_state
from ringway.protocol.order import NodeAnswer, NodeConsent, NodeRefusal, SetState, encode, node_address
from ringway.protocol.report import Report
from ringway.types import Incarnation, NodeName, Role

DRAIN = SetState(draining=True, within_s=20.0)
WITHIN_S = 0.2


class World:
    """A bus on which members answer for the node `a`."""

    def __init__(self) -> None:
        self._hub = MemoryHub()
        self.engines: list[MemoryEngine] = []
        self.asked: list[bytes] = []
        self.caller = self._open()

    def _open(self) -> MemoryEngine:
        self.engines.append(self._hub.open())
        return self.engines[-1]

    async def add(self, answer: NodeAnswer | bytes) -> None:
        async def handle(raw: bytes) -> bytes:
            self.asked.append(raw)
            return answer if isinstance(answer, bytes) else encode(answer)

        await self._open().bus.serve(node_address(NodeName("a")), handle)

    async def call(self, *holders: str, is_backend: bool = True) -> NodeAnswer:
        node = Report(
            name=NodeName("a"), incarnation=Incarnation("00000001"), role=Role.NODE, seq=1, url="ws://a",
            is_backend=is_backend, holders=tuple(NodeName(each) for each in holders),
        )  # fmt: skip
        return await call_state(self.caller.bus, node, DRAIN, WITHIN_S)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    for engine in world.engines:
        await engine.close()


async def test_a_node_answers_itself(world):
    await world.add(NodeConsent())
    assert await world.call(is_backend=False) == NodeConsent()
    assert world.asked == [encode(DRAIN)]


async def test_every_gateway_that_holds_a_backend_is_asked(world):
    for _ in range(2):
        await world.add(NodeConsent())
    assert await world.call("g1", "g2") == NodeConsent()
    assert world.asked == [encode(DRAIN)] * 2


async def test_one_gateway_that_is_silent_does_not_keep_a_backend_from_its_state(world):
    await world.add(NodeConsent())
    assert await world.call("g1", "g2") == NodeConsent()


async def test_a_gateway_that_refuses_follows_the_others_that_consent(world):
    await world.add(NodeRefusal(why="it stops"))
    await world.add(NodeConsent())
    assert await world.call("g1", "g2") == NodeConsent()


async def test_a_refusal_of_all_is_told(world):
    await world.add(NodeRefusal(why="it stops"))
    await world.add(NodeRefusal(why="it stops"))
    assert await world.call("g1", "g2") == NodeRefusal(why="it stops")


@pytest.mark.parametrize("is_backend", [True, False])
async def test_silence_is_a_refusal(world, is_backend):
    answer = await world.call(is_backend=is_backend)
    assert isinstance(answer, NodeRefusal)
    assert "answer" in answer.why


async def test_an_answer_that_cannot_be_read_is_a_refusal(world):
    await world.add(b"{")
    answer = await world.call("g1")
    assert isinstance(answer, NodeRefusal)
    assert "it did not answer" in answer.why
