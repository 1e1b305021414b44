"""Random bytes, frames and commands, seeded: each costs its own connection at most, and leaves no trace in the log."""

import asyncio
import logging
from random import Random

import pytest

from integration.node.conftest import Dial, StartNode
from integration.node.kit import TEXT, Peer, eventually, frame, head
from support.log_capture import capture_logs

ROUNDS = 400
FRAMES = 12

_JSON = [
    b"{}", b'{"id":1,"connect":{}}', b'{"id":2,"subscribe":{"channel":"c"}}',
    b'{"id":3,"publish":{"channel":"c","data":[1]}}',
    b'{"id":4,"unsubscribe":{"channel":"c"}}', b'{"id":5,"ping":{}}', b'{"id":6,"rpc":{"method":"m","data":{}}}',
    b'{"send":{"data":1}}', b'{"id":7}', b"[]", b'"', b"\xff", b'{"id":8,"publish":{"channel":"c","data":"\xe2\x82"}}',
    b'{"id":1e9,"ping":{}}', b'{"id":9,"subscribe":{"channel":"\\u0000"}}',
]  # fmt: skip


def random_frame(rng: Random) -> bytes:
    """A frame that is often right and sometimes wrong in one of many ways."""
    kind = rng.random()
    if kind < 0.05:
        return rng.randbytes(rng.randrange(1, 40))
    payload = b"\n".join(rng.choices(_JSON, k=rng.randrange(1, 4)))
    if kind < 0.15:
        payload = rng.randbytes(rng.randrange(0, 200))
    if kind < 0.25:
        cut = rng.randrange(len(payload) + 1)
        payload = payload[:cut] + rng.randbytes(1) + payload[cut:]
    opcode = TEXT if rng.random() < 0.8 else rng.randrange(16)
    rsv = rng.randrange(8) if rng.random() < 0.05 else 0
    size = rng.choice([0] * 30 + [70_000, 2**31, 2**63, 125, 126])
    return frame(opcode, payload, fin=rng.random() < 0.85, rsv=rsv, mask=rng.random() < 0.97, size=size)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_broken_frames_harm_nobody_else(
    start_node: StartNode, dial: Dial, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    rng = Random(seed)
    node = await start_node(close_deadline_s=1.0)
    healthy = [await dial(node, connect=True) for _ in range(2)]
    await healthy[0].subscribe("health")
    with capture_logs() as logs, caplog.at_level(logging.WARNING):
        for n in range(ROUNDS):
            peer = await Peer.open(node.port)
            if rng.random() < 0.7:
                peer.raw(frame(TEXT, b'{"id":1,"connect":{}}'))
            for _ in range(rng.randrange(FRAMES)):
                peer.raw(random_frame(rng))
            if rng.random() < 0.5:
                await asyncio.sleep(0)
            peer.abort() if rng.random() < 0.5 else peer.writer.close()
            if n % 100 == 0:
                await healthy[1].publish("health", n)
                assert (await healthy[0].push())["pub"]["data"] == n
    await eventually(lambda: len(node.clients.registry) == 2)
    await eventually(lambda: node.report().pending == 0)
    assert [entry for entry in logs if entry["log_level"] not in ("info", "debug")] == []
    assert caplog.records == []
    assert not len(node.clients.queues)
    assert await healthy[0].ask(ping={}) == {"ping": {}}


async def test_broken_handshakes_harm_nobody_else(start_node: StartNode, dial: Dial) -> None:
    rng = Random(4)
    node = await start_node(handshake_deadline_s=1.0)
    healthy = await dial(node, connect=True)
    good = head()
    with capture_logs() as logs:
        for _ in range(400):
            peer = await Peer.tcp(node.port)
            request = bytearray(good)
            for _ in range(rng.randrange(1, 8)):
                at = rng.randrange(len(request))
                request[at : at + rng.randrange(3)] = rng.randbytes(rng.randrange(3))
            peer.raw(bytes(request))
            await asyncio.sleep(0)
            peer.abort()
    await eventually(lambda: node.report().pending == 0)
    assert [entry for entry in logs if entry["log_level"] not in ("info", "debug")] == []
    assert await healthy.ask(ping={}) == {"ping": {}}
