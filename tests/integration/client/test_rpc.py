"""Calls of the client (RPC) to a scripted node: what is sent, answered, repeated and raised."""

import asyncio
import json

import pytest
from client_kit import QUICK, ScriptedNode, refusal, until

import ringway
from ringway.errors import CommandError, ConnectionClosed, Overloaded

pytestmark = pytest.mark.timeout(60)


def client_of(node: ScriptedNode, **options: object) -> ringway.Client:
    return ringway.Client(node.url, **{"config": QUICK, **options})  # type: ignore[arg-type]


async def test_a_call_carries_any_json_and_returns_any() -> None:
    async with ScriptedNode() as node, client_of(node) as client:
        node.rpc = lambda request: {"rpc": {"data": request.get("data", "nothing")}}
        for data in (0, "ü", [1, {"a": None}], {"deep": {"er": [True]}}):
            assert await client.rpc("m", data) == data
            assert node.of("rpc")[-1] == {"method": "m", "data": data}
        assert await client.rpc("m") == "nothing"
        assert node.of("rpc")[-1] == {"method": "m"}
        node.rpc = lambda _: {"rpc": {}}
        assert await client.rpc("m") is None
        with pytest.raises(TypeError):
            await client.rpc("m", object())


async def test_answers_find_their_calls_in_any_order() -> None:
    async with ScriptedNode() as node, client_of(node) as client:
        node.rpc = lambda _: None
        calls = [asyncio.create_task(client.rpc("m", number)) for number in range(3)]
        await until(lambda: len(node.of("rpc")) == 3)
        for command in reversed([command for command in node.commands if "rpc" in command]):
            await node.current.send(json.dumps(command))
        assert await asyncio.gather(*calls) == [0, 1, 2]


async def test_a_temporary_refusal_is_repeated_and_another_is_raised() -> None:
    async with ScriptedNode() as node, client_of(node) as client:
        node.rpc = lambda _: {"rpc": {"data": 1}} if len(node.of("rpc")) > 3 else refusal(111, temporary=True)
        assert await client.rpc("m") == 1
        assert len(node.of("rpc")) == 4
        node.rpc = lambda _: refusal(1000, "no such room")
        with pytest.raises(CommandError, match="no such room") as refused:
            await client.rpc("m")
        assert refused.value.code == 1000
        assert len(node.of("rpc")) == 5


async def test_a_call_whose_connection_ends_is_not_repeated() -> None:
    async with ScriptedNode() as node, client_of(node) as client:
        node.rpc = lambda _: None
        call = asyncio.create_task(client.rpc("m"))
        await until(lambda: node.of("rpc"))
        node.current.transport.abort()
        with pytest.raises(ConnectionClosed):
            await call
        node.rpc = lambda _: {"rpc": {"data": 2}}
        assert await client.rpc("m") == 2
        assert len(node.of("rpc")) == 2


async def test_a_call_without_an_answer_ends_in_time() -> None:
    async with ScriptedNode() as node, client_of(node) as client:
        node.rpc = lambda _: None
        with pytest.raises(TimeoutError, match="no answer to the call 'm' in time"):
            await client.rpc("m", timeout_s=0.1)


async def test_unanswered_calls_are_bounded() -> None:
    config = ringway.ClientConfig(pending_max=2)
    async with ScriptedNode() as node, client_of(node, config=config) as client:
        node.rpc = lambda _: None
        calls = [asyncio.create_task(client.rpc("m")) for _ in range(2)]
        await until(lambda: len(node.of("rpc")) == 2)
        with pytest.raises(Overloaded, match="pending_max of 2"):
            await client.rpc("m")
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
