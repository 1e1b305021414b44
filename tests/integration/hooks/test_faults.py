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
            backend, "answer_bytes_max=1024", "breaker_failures=2",
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


async def test_a_hook_that_hangs_is_given_up_and_then_not_asked_any_more(
    start_node: StartNode, dial: Dial, backend: HookServer
) -> None:
    options = ("timeout_s=0.3", "breaker_failures=2", "breaker_open_s=3600")
    node = await start_node(**settings(backend, *options, connect_hook="app"))
    backend.hang()
    peer = await dial(node)
    for _ in range(4):
        assert await peer.ask(connect={}) == {"error": TEMPORARY}
    assert outcomes(node) == {"timeout": 2, "open": 2}
    assert (len(backend.requests), hook_of(node).is_open, hook_of(node).stats.opened) == (2, True, 1)
    assert hook_of(node).problem == "the hook app is open: no answer within 0.3 s"
    await eventually(lambda: backend.under_way == 0)  # requests that were given up are not under way any more


async def test_a_hook_that_answers_again_is_asked_again(start_node: StartNode, dial: Dial, backend: HookServer) -> None:
    backend.answer, backend.status = {"result": {"user": "carol"}}, 503
    node = await start_node(**settings(backend, "breaker_failures=2", connect_hook="app"))
    peer = await dial(node)
    for _ in range(2):
        assert await peer.ask(connect={}) == {"error": TEMPORARY}
    assert hook_of(node).is_open
    backend.status = 200
    async with asyncio.timeout(90):
        while "connect" not in await peer.ask(connect={}):
            await asyncio.sleep(0.02)
    assert (hook_of(node).is_open, hook_of(node).problem) == (False, "")


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
    node = await start_node(**settings(backend, "concurrency_max=2", connect_hook="app"))
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
