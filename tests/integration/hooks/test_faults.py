"""Hooks that fail: each fault costs the commands that need the hook, and nobody else."""

import asyncio
from typing import Any

import pytest

from integration.hooks.conftest import Dial, StartNode
from integration.hooks.kit import hook_of, outcomes, settings
from integration.node.kit import eventually
from ringway.node.server import ChannelNode
from support.hook_server import HookServer

TEMPORARY = {"code": 100, "message": "internal server error", "temporary": True}

FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "500": ({"status": 500}, "status"),
    "404": ({"status": 404}, "status"),
    "204": ({"status": 204, "body": b""}, "status"),
    "redirect": ({"status": 302, "answer_headers": {"Location": "/hooks"}}, "status"),
    "busy": ({"status": 503}, "status"),
    "empty": ({"body": b""}, "unreadable"),
    "garbage": ({"body": b"<html>no</html>"}, "unreadable"),
    "wrong types": ({"answer": {"result": {"user": 7}}}, "unreadable"),
    "no object": ({"body": b"[]"}, "unreadable"),
    "too long": ({"body": b" " * 2000}, "unreachable"),
    "compressed": ({"body": b"\x1f\x8b\x08", "answer_headers": {"Content-Encoding": "gzip"}}, "unreadable"),
    "cut off": ({"cuts": True}, "unreachable"),
}
"""The changes to the backend, and the outcome that is counted."""


@pytest.fixture
async def node(start_node: StartNode, backend: HookServer) -> ChannelNode:
    return await start_node(
        **settings(
            backend, "timeout_s=1", "answer_bytes_max=1024", "breaker_failures=2",
            connect_hook="app", allow_anonymous_connect_without_token=True,
        )
    )  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_is_a_temporary_error_and_the_client_may_try_again(
    node: ChannelNode, dial: Dial, backend: HookServer, fault: str
) -> None:
    changes, outcome = FAULTS[fault]
    before = {name: getattr(backend, name) for name in changes}
    for name, value in changes.items():
        setattr(backend, name, value)
    peer = await dial(node)
    assert await peer.ask(connect={}) == {"error": TEMPORARY}
    assert outcomes(node) == {outcome: 1}
    assert hook_of(node).problem
    for name, value in before.items():
        setattr(backend, name, value)
    backend.answer = {"result": {"user": "carol"}}
    assert "connect" in await peer.ask(connect={})
    assert node.clients.registry.count_of_user("carol") == 1
    assert hook_of(node).problem == ""


async def test_a_backend_that_is_away_is_found_again(node: ChannelNode, dial: Dial, backend: HookServer) -> None:
    await backend.stop()
    peer = await dial(node)
    assert await peer.ask(connect={}) == {"error": TEMPORARY}
    assert outcomes(node) == {"unreachable": 1}
    await backend.start()
    assert "connect" in await peer.ask(connect={})


async def test_a_kept_connection_that_the_backend_closed_costs_nothing(
    node: ChannelNode, dial: Dial, backend: HookServer
) -> None:
    for _ in range(3):
        peer = await dial(node)
        assert "connect" in await peer.ask(connect={})
        await backend.stop()
        await backend.start()
    assert outcomes(node) == {"ok": 3}


async def test_a_hook_that_hangs_is_given_up_and_its_breaker_opens(
    node: ChannelNode, dial: Dial, backend: HookServer
) -> None:
    backend.hang()
    peer = await dial(node)
    for _ in range(2):
        assert await peer.ask(connect={}) == {"error": TEMPORARY}
    await eventually(lambda: backend.under_way == 0)  # requests that were given up are not under way any more
    assert (outcomes(node), hook_of(node).is_open) == ({"timeout": 2}, True)
    asked = len(backend.requests)
    assert await peer.ask(connect={}) == {"error": TEMPORARY}
    assert len(backend.requests) == asked or outcomes(node)["timeout"] == 3  # refused at once, unless it was the probe
    backend.go_on()

    async def connected() -> bool:
        return "connect" in await peer.ask(connect={})

    while not await connected():
        await asyncio.sleep(0.02)
    assert not hook_of(node).is_open
    assert hook_of(node).stats.opened >= 1
    assert outcomes(node)["open"] >= 1


@pytest.mark.parametrize("fault", ["500", "404", "garbage", "too long"])
async def test_what_one_client_can_cause_opens_no_breaker(
    start_node: StartNode, dial: Dial, backend: HookServer, fault: str
) -> None:
    node = await start_node(**settings(backend, "breaker_failures=2", connect_hook="app"))
    for name, value in FAULTS[fault][0].items():
        setattr(backend, name, value)
    peer = await dial(node)
    for _ in range(5):
        assert await peer.ask(connect={}) == {"error": TEMPORARY}
    assert (len(backend.requests), hook_of(node).is_open) == (5, False)


async def test_other_clients_go_on_while_a_hook_hangs(start_node: StartNode, dial: Dial, backend: HookServer) -> None:
    backend.answer = {"result": {"user": "carol"}}
    node = await start_node(**settings(backend, "timeout_s=4", "concurrency_max=2", connect_hook="app"))
    alice, bob = await dial(node, connect=True), await dial(node, connect=True)
    await alice.subscribe("room")
    backend.hang()
    waiting = [await dial(node) for _ in range(10)]
    for peer in waiting:
        peer.send({"id": 1, "connect": {}})
    await eventually(lambda: backend.under_way == 2)
    for number in range(20):
        await bob.publish("room", number)
        assert (await alice.push())["pub"]["data"] == number
    assert backend.under_way == 2
    backend.go_on()
    for peer in waiting:
        assert "connect" in await peer.reply(1)
