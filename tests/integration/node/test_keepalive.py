"""Pings, pongs, and peers that are dead, over real sockets."""

import asyncio
import time

from integration.node.conftest import Dial, StartNode
from integration.node.kit import TEXT, eventually, frame


async def test_a_dead_peer_is_freed_within_ping_and_pong_time(start_node: StartNode, dial: Dial) -> None:
    node = await start_node(ping_interval_s=2, pong_timeout_s=1)
    dead = [await dial(node, connect=True) for _ in range(5)]
    alive = await dial(node, connect=True)
    begun = time.monotonic()
    pings = 0
    while node.connections > 1:
        opcode, payload = await asyncio.wait_for(alive.recv(), 5)
        assert (opcode, payload) == (TEXT, b"{}")
        pings += 1
        alive.raw(frame(TEXT, b"{}"))
        assert time.monotonic() - begun < 30
    assert node.stats.closed == {3012: 5}
    for peer in dead:
        assert (await peer.closed())[0] == 3012
        await peer.ended()
    await eventually(lambda: len(node.clients.registry) == 1)
    assert await alive.ask(ping={}) == {"ping": {}}
    assert pings >= 1


async def test_first_pings_are_jittered(start_node: StartNode, dial: Dial) -> None:
    node = await start_node(ping_interval_s=4, pong_timeout_s=3)
    peers = [await dial(node, connect=True) for _ in range(40)]
    counts = []
    while node.stats.pings < len(peers) and not node.stats.closed:
        if not counts or node.stats.pings != counts[-1]:
            counts.append(node.stats.pings)
        await asyncio.sleep(0.02)
    assert len(counts) >= 3, "pings come in several seconds, not in one"
