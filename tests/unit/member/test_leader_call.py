"""Calls to the leading balancer: its answer, its absence, and an answer that is not understood."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from ringway.engine.memory.engine import MemoryEngine, MemoryHub
from ringway.errors import NoAnswer
from ringway.member.leader_call import call_drain, call_owners, call_plan
from ringway.protocol.order import (
    BALANCER,
    DrainAnswer,
    DrainRequest,
    PlanAnswer,
    Rebalance,
    decode_balancer_request,
    encode,
)
from ringway.protocol.owners import OwnersAnswer, OwnersRequest
from ringway.types import NodeName

PLAN = PlanAnswer(quotas=(), reason="balanced", imbalance=0.0, moves_per_s=1.0, fair={}, load={})
OWNERS = OwnersAnswer(version="1")
DRAINED = DrainAnswer(why="", connections=1, moves_per_s=1.0, needs_s=1.0)
DRAIN = DrainRequest(node=NodeName("a"), within_s=20.0)
WITHIN_S = 0.2


class Leader:
    """A hub with a caller, and a balancer if one is added."""

    def __init__(self) -> None:
        self._hub = MemoryHub()
        self.engines: list[MemoryEngine] = [self._hub.open()]
        self.bus = self.engines[0].bus
        self.asked: list[object] = []

    async def add(self, answer: bytes | None) -> None:
        async def handle(raw: bytes) -> bytes | None:
            self.asked.append(decode_balancer_request(raw))
            return answer

        self.engines.append(self._hub.open())
        await self.engines[-1].bus.serve(BALANCER, handle)


@pytest.fixture
async def leader() -> AsyncIterator[Leader]:
    leader = Leader()
    yield leader
    for engine in leader.engines:
        await engine.close()


async def test_the_leader_is_asked_who_owns_keys(leader):
    await leader.add(encode(OWNERS))
    request = OwnersRequest(version="1", have="")
    assert await call_owners(leader.bus, request, WITHIN_S) == OWNERS
    assert leader.asked == [request]


@pytest.mark.parametrize("dry_run", [True, False], ids=["dry run", "begun"])
async def test_the_leader_is_asked_for_its_plan(leader, dry_run):
    await leader.add(encode(PLAN))
    assert await call_plan(leader.bus, dry_run=dry_run, timeout_s=WITHIN_S) == PLAN
    assert leader.asked == [Rebalance(dry_run=dry_run)]


async def test_the_leader_is_asked_to_judge_a_drain(leader):
    await leader.add(encode(DRAINED))
    assert await call_drain(leader.bus, DRAIN, WITHIN_S) == DRAINED
    assert leader.asked == [DRAIN]


async def test_without_a_leader_the_error_says_where_balancers_run(leader):
    with pytest.raises(NoAnswer, match="no balancer answers: it runs in the gateways") as caught:
        await call_drain(leader.bus, DRAIN, WITHIN_S)
    assert not caught.value.timed_out


async def test_a_leader_that_is_silent_is_told_from_none(leader):
    await leader.add(None)
    with pytest.raises(NoAnswer, match="no balancer answers") as caught:
        await call_plan(leader.bus, dry_run=True, timeout_s=WITHIN_S)
    assert caught.value.timed_out


async def test_a_gateway_that_led_and_is_stopped_does_not_hide_the_leader(leader):
    await leader.add(None)
    await leader.add(encode(PLAN))
    assert await call_plan(leader.bus, dry_run=True, timeout_s=WITHIN_S) == PLAN


async def test_the_successor_of_a_leader_that_was_stopped_while_it_was_asked_is_found(leader):
    await leader.add(None)
    asked = asyncio.ensure_future(call_plan(leader.bus, dry_run=True, timeout_s=WITHIN_S, asks=2))
    while not leader.asked:
        await asyncio.sleep(0)
    await leader.add(encode(PLAN))
    assert await asked == PLAN


async def test_an_answer_of_another_release_is_no_answer(leader):
    await leader.add(b'{"of": "another release"}')
    with pytest.raises(NoAnswer, match="give all gateways one release"):
        await call_plan(leader.bus, dry_run=True, timeout_s=WITHIN_S)
