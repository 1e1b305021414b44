"""A client's commands at once are processed in many turns of the event loop: other clients have turns in between."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from integration.node.conftest import Dial, StartNode
from integration.node.kit import TEXT, Peer, eventually, frame, head
from ringway.node.connection import allowance
from ringway.node.connection.command_queue import TURN_COMMANDS
from ringway.node.connection.flow import TURN_BYTES
from ringway.node.connection.pending_handshakes import ANSWERS_MAX

EMPTY = frame(TEXT)
FRAMES_MAX = TURN_BYTES // len(EMPTY) + 1


@contextmanager
def steps_of(count: Callable[[], int]) -> Iterator[list[int]]:
    """By how much `count` grows in each turn of the event loop."""
    loop = asyncio.get_running_loop()
    steps: list[int] = []
    before = count()
    over = False

    def look() -> None:
        nonlocal before
        now = count()
        if now > before:
            steps.append(now - before)
        before = now
        if not over:
            loop.call_soon(look)

    look()
    try:
        yield steps
    finally:
        over = True


@pytest.mark.parametrize("behind_the_handshake", [False, True])
async def test_tiny_frames(start_node: StartNode, dial: Dial, behind_the_handshake: bool) -> None:
    node = await start_node(commands_burst=10_000)
    peer = await Peer.tcp(node.port) if behind_the_handshake else await dial(node)
    with steps_of(lambda: node.stats.frames_in) as steps:
        peer.raw((head() if behind_the_handshake else b"") + EMPTY * 4000)
        await eventually(lambda: sum(steps) == 4000)
    assert max(steps) <= (2 if behind_the_handshake else 1) * FRAMES_MAX
    peer.abort()


async def test_the_commands_of_one_frame(start_node: StartNode, dial: Dial) -> None:
    node = await start_node()
    peer = await dial(node, connect=True)
    with steps_of(lambda: node.stats.commands["ping"]) as steps:
        peer.send(*({"id": number, "ping": {}} for number in range(10, 1510)))
        for number in range(10, 1510):
            assert "ping" in await peer.reply(number)
    assert max(steps) <= TURN_COMMANDS


async def test_handshakes(start_node: StartNode) -> None:
    node = await start_node()
    peers = [await Peer.tcp(node.port) for _ in range(5 * ANSWERS_MAX)]
    with steps_of(lambda: node.stats.accepted) as steps:
        for peer in peers:
            peer.raw(head())
        await eventually(lambda: sum(steps) == len(peers))
    assert max(steps) <= 2 * ANSWERS_MAX  # those that waited, and those whose request comes in the same turn
    for peer in peers:
        peer.abort()


async def test_a_handshake_that_is_cut_before_its_turn_is_not_answered(start_node: StartNode) -> None:
    node = await start_node()
    peers = [await Peer.tcp(node.port) for _ in range(5 * ANSWERS_MAX)]
    for peer in peers:
        peer.raw(head())
    while not node.stats.accepted:
        await asyncio.sleep(0)
    node.clients.handshakes.abort()
    answered = node.stats.accepted
    assert answered < len(peers)
    for peer in peers:
        peer.abort()
    await eventually(lambda: node.report().pending == 0)
    assert node.stats.accepted == answered


async def test_a_client_over_the_rate_is_read_in_pauses(
    start_node: StartNode, dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allowance, "OVER_RATE_S", 3600.0)
    node = await start_node(commands_per_s=1, commands_burst=1000)
    flooding, other = await dial(node, connect=True), await dial(node, connect=True)
    before = node.stats.frames_in
    flooding.raw(EMPTY * 4000)
    await eventually(lambda: node.stats.frames_in - before > 1000)
    for _ in range(100):
        assert await other.ask(ping={}) == {"ping": {}}
    assert node.stats.frames_in - before - 100 <= 1000 + 2 * FRAMES_MAX
