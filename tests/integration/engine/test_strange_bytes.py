"""Mutated messages of a stranger at the engine: each ends in a counted refusal; `scripts/fuzz members` runs longer."""

from pathlib import Path

import pytest

from fuzz.members import CLUSTER, fire
from fuzz.stranger import Message, stranger_at
from ringway.app.engine import EngineConfig, open_engine
from support.fleet import make_fleet
from support.log_capture import capture_logs

MESSAGES = 2000


@pytest.mark.parametrize("kind", ["nats", "redis"])
async def test_a_stranger_at_the_engine_causes_nothing_but_refusals(kind: str, tmp_path: Path) -> None:
    fleet = make_fleet(kind, tmp_path)
    try:
        fleet.start()
        outcome = await fire(fleet.url, MESSAGES, seed=1)
    finally:
        fleet.kill_all()
    assert outcome.faults == []
    assert outcome.sent == MESSAGES
    assert outcome.refused > MESSAGES // 4


@pytest.mark.parametrize("reply", ["", "a.b"])
async def test_a_request_without_an_inbox_of_a_member_gets_no_answer_and_ends_no_connection(
    reply: str, tmp_path: Path
) -> None:
    fleet = make_fleet("nats", tmp_path)
    asked: list[bytes] = []

    async def answer(request: bytes) -> bytes:
        asked.append(request)
        return b"answer"

    try:
        fleet.start()
        config = EngineConfig(url=fleet.url, cluster=CLUSTER, wait_s=60)
        async with open_engine(config, "n1") as engine, stranger_at(fleet.url, CLUSTER) as stranger:
            await engine.bus.serve("greet", answer)
            with capture_logs() as logs:
                assert await engine.bus.call("greet", b"member", timeout_s=60) == b"answer"
                while not (requests := [each for each in stranger.recorded if each.payload == b"member"]):
                    await stranger.flush()
                await stranger.send(Message(requests[0].name, b"stranger", reply))
                await stranger.flush()
                while b"stranger" not in asked:
                    await engine.bus.call("greet", b"again", timeout_s=60)
                assert await engine.bus.call("greet", b"member", timeout_s=60) == b"answer"
            assert [event for event in logs if event["event"] == "engine away"] == []
    finally:
        fleet.kill_all()
