"""Every bound of the node that a client can hit: what happens to it, and that nothing happens to others."""

import asyncio
import time
from typing import Any

import pytest

from integration.node.conftest import Dial, StartNode
from integration.node.kit import PING, TEXT, eventually, frame, sealed
from ringway.engine.memory.engine import MemoryHub


async def test_the_connect_command_has_a_deadline(start_node: StartNode, dial: Dial) -> None:
    node = await start_node(connect_deadline_s=1.0)
    peer = await dial(node)
    begun = time.monotonic()
    assert (await peer.closed())[0] == 3502
    assert time.monotonic() - begun >= 0.9
    await peer.ended()
    assert node.report().pending == 0


async def test_pings_do_not_extend_the_deadline_of_the_connect_command(start_node: StartNode, dial: Dial) -> None:
    peer = await dial(await start_node(connect_deadline_s=1.0))

    async def ping() -> None:
        while True:
            peer.raw(frame(PING))
            await asyncio.sleep(0.1)

    pinging = asyncio.create_task(ping())
    assert (await peer.closed())[0] == 3502
    pinging.cancel()


async def test_commands_over_the_rate_are_refused_then_the_connection_is_closed(
    start_node: StartNode, dial: Dial
) -> None:
    node = await start_node(commands_per_s=0.5, commands_burst=5)
    peer = await dial(node, connect=True)  # takes one
    for _ in range(4):
        assert await peer.ask(ping={}) == {"ping": {}}
    for _ in range(5):
        error = (await peer.ask(publish={"channel": "c", "data": 1}))["error"]
        assert (error["code"], error["temporary"]) == (111, True)
    peer.send({"id": 99, "ping": {}})
    assert (await peer.closed())[0] == 3013
    assert node.stats.published == 0


async def test_the_rate_recovers(start_node: StartNode, dial: Dial) -> None:
    node = await start_node(commands_per_s=20, commands_burst=2)
    peer = await dial(node, connect=True)
    await peer.ask(ping={})
    assert "error" in await peer.ask(ping={})
    await asyncio.sleep(0.2)
    assert await peer.ask(ping={}) == {"ping": {}}


@pytest.mark.parametrize(
    "flood", [frame(TEXT, b"{}"), frame(PING), frame(TEXT, b"{}\n" * 50)], ids=["pongs", "pings", "many pongs at once"]
)
async def test_pongs_and_control_frames_count_as_commands(start_node: StartNode, dial: Dial, flood: bytes) -> None:
    node = await start_node(commands_per_s=1, commands_burst=10)
    peer = await dial(node, connect=True)
    peer.raw(flood * 40)
    assert (await peer.closed())[0] == 3013
    assert node.stats.closed[3013] == 1


async def test_commands_that_wait_for_the_engine_are_bounded(
    start_node: StartNode, dial: Dial, hub: MemoryHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = await start_node(commands_pending_max=10)
    gate = asyncio.Event()
    asked: list[Any] = []

    async def hang(channel: Any, payload: bytes) -> None:
        asked.append(channel)
        await gate.wait()

    monkeypatch.setattr(hub.members[0].broker, "publish", hang)
    peer = await dial(node, connect=True)
    other = await dial(node, connect=True)
    for n in range(11):  # one in the engine's hands, ten wait
        peer.send({"id": 10 + n, "publish": {"channel": "c", "data": n}})
    await other.ask(ping={})
    assert node.connections == 2
    peer.send({"id": 30, "publish": {"channel": "c", "data": 30}})
    assert (await peer.closed())[0] == 3013
    gate.set()
    assert await other.ask(ping={}) == {"ping": {}}
    assert len(asked) == 1, "what waited is not carried out any more"


async def test_subscribes_of_clients_that_are_gone_are_not_begun(
    start_node: StartNode, dial: Dial, hub: MemoryHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = await start_node(engine_deadline_s=60.0)
    gate = asyncio.Event()
    asked: list[Any] = []

    async def hang(channel: Any) -> None:
        asked.append(channel)
        await gate.wait()

    monkeypatch.setattr(hub.members[0].broker, "subscribe", hang)
    for n in range(4):
        peer = await dial(node, connect=True)
        peer.send(*({"id": 10 + k, "subscribe": {"channel": f"{n}-{k}"}} for k in range(128)))
        await eventually(lambda n=n: len(asked) == min(256, 128 * (n + 1)))  # type: ignore[misc]
        await eventually(lambda: any(connection.command_queue for connection in node.clients.registry))
        peer.abort()
        await eventually(lambda: node.connections == 0)
    gate.set()
    await eventually(lambda: not len(node.clients.queues))
    assert len(asked) == 256
    other = await dial(node, connect=True)
    await other.subscribe("3-1")


async def test_a_slow_consumer_is_closed_and_others_are_unharmed(
    start_node: StartNode, dial: Dial, hub: MemoryHub
) -> None:
    node = await start_node(outbox_bytes_max=256 * 1024, close_deadline_s=1.0)
    slow = await dial(node, connect=True, receive_buffer_bytes=4096)
    quick = [await dial(node, connect=True) for _ in range(3)]
    for peer in [slow, *quick]:
        await peer.subscribe("c")
    engine = hub.open().broker
    body = b'{"data":"' + b"x" * 8000 + b'"}'
    received = [0, 0, 0]
    sent = 0

    async def read(index: int) -> None:
        while True:
            await quick[index].push()
            received[index] += 1

    readers = [asyncio.create_task(read(index)) for index in range(3)]
    async with asyncio.timeout(30):
        while not node.stats.closed[3008]:
            await engine.publish("c", sealed(body))  # type: ignore[arg-type]
            sent += 1
            await asyncio.sleep(0)
    await eventually(lambda: received == [sent] * 3)
    await eventually(lambda: node.stats.cut == 1)  # its close frame lies behind what it does not read
    await eventually(lambda: len(node.clients.registry) == 3)
    for reader in readers:
        reader.cancel()
    assert node.stats.closed == {3008: 1}
    assert node.stats.slow == 0


async def test_a_client_that_reads_late_loses_nothing_below_the_bound(
    start_node: StartNode, dial: Dial, hub: MemoryHub
) -> None:
    node = await start_node(outbox_bytes_max=16 * 1024 * 1024)
    late = await dial(node, connect=True, receive_buffer_bytes=4096)
    await late.subscribe("c")
    engine = hub.open().broker
    for n in range(1000):
        await engine.publish("c", sealed(b'{"data":[%d,"%s"]}' % (n, b"x" * 8000)))  # type: ignore[arg-type]
        if n % 10 == 0:
            await asyncio.sleep(0)
    await eventually(lambda: node.stats.deliveries == 1000)
    assert node.stats.slow == 1
    assert [(await late.push())["pub"]["data"][0] for _ in range(1000)] == list(range(1000))
    await eventually(lambda: node.stats.slow == 0)


async def test_a_client_that_asks_and_does_not_read_is_closed(start_node: StartNode, dial: Dial) -> None:
    node = await start_node(outbox_bytes_max=65536, commands_per_s=1_000_000, commands_burst=1_000_000)
    peer = await dial(node, connect=True, receive_buffer_bytes=4096)
    many = frame(TEXT, b"\n".join(b'{"id":%d,"rpc":{}}' % (n + 1) for n in range(2000)))
    async with asyncio.timeout(30):
        while not node.stats.closed[3008]:
            peer.raw(many)
            await asyncio.sleep(0.001)


async def test_one_turn_is_bounded(start_node: StartNode, dial: Dial, hub: MemoryHub) -> None:
    node = await start_node(turn_bytes_max=4096)
    peer = await dial(node, connect=True)
    await peer.subscribe("c")
    engine = hub.open().broker
    for n in range(40):
        await engine.publish("c", sealed(b'{"data":[%d,"%s"]}' % (n, b"x" * 500)))  # type: ignore[arg-type]
    assert [(await peer.push())["pub"]["data"][0] for _ in range(40)] == list(range(40))
    assert node.stats.writes >= 4


async def test_a_frame_that_is_partly_over_the_rate_is_refused_for_that_part(start_node: StartNode, dial: Dial) -> None:
    node = await start_node(commands_per_s=0.01, commands_burst=5)
    peer = await dial(node, connect=True)
    peer.send(*({"id": 10 + n, "ping": {}} for n in range(8)))
    replies = [await peer.reply(10 + n) for n in range(8)]
    assert ["ping" in reply for reply in replies] == [True] * 4 + [False] * 4
    assert {reply["error"]["code"] for reply in replies[4:]} == {111}
    assert node.connections == 1


async def test_who_comes_back_to_all_that_he_may_subscribe_to_is_refused_for_a_while_and_not_closed(
    start_node: StartNode, dial: Dial
) -> None:
    node = await start_node(subscriptions_max=3000, commands_burst=500, commands_per_s=4000)
    peer = await dial(node, connect=True)
    left = list(range(1, 2001))
    async with asyncio.timeout(30):
        while left:
            for start in range(0, len(left), 500):
                some = left[start : start + 500]
                peer.send(*({"id": 10 + n, "subscribe": {"channel": f"c{n}"}} for n in some))
            replies = {n: await peer.reply(10 + n) for n in left}
            left = [n for n, reply in replies.items() if "error" in reply]
            assert {replies[n]["error"]["code"] for n in left} <= {111}
            await asyncio.sleep(0.2)
    assert len(node.hub) == 2000


async def test_nothing_is_read_from_a_client_while_enough_of_it_waits(
    start_node: StartNode, dial: Dial, hub: MemoryHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = await start_node()
    gate = asyncio.Event()
    taken: list[bytes] = []

    async def hang(channel: Any, payload: bytes) -> None:
        await gate.wait()
        taken.append(payload)

    monkeypatch.setattr(hub.members[0].broker, "publish", hang)
    peer = await dial(node, connect=True)
    (connection,) = node.clients.registry
    one = frame(TEXT, b'{"id":7,"publish":{"channel":"c","data":"' + b"x" * 10_000 + b'"}}')
    peer.raw(one * 150)  # below what it may send at once
    await eventually(lambda: connection.is_held)
    await asyncio.sleep(0.1)
    assert connection.command_queue is not None
    assert connection.command_queue.bytes < 400_000, "the bound, and what had been read already"
    assert node.stats.frames_in < 100
    gate.set()
    await eventually(lambda: len(taken) == 150)
    await eventually(lambda: not connection.is_held)
    assert await peer.ask(ping={}) == {"ping": {}}


async def test_the_kernel_takes_little_for_a_client_that_reads_nothing(
    start_node: StartNode, dial: Dial, hub: MemoryHub
) -> None:
    node = await start_node(outbox_bytes_max=16 * 1024 * 1024)
    peer = await dial(node, connect=True, receive_buffer_bytes=4096)
    await peer.subscribe("c")
    (connection,) = node.clients.registry
    engine = hub.open().broker
    for n in range(500):
        await engine.publish("c", sealed(b'{"data":[%d,"%s"]}' % (n, b"x" * 8000)))  # type: ignore[arg-type]
        if n % 10 == 0:
            await asyncio.sleep(0)
    await eventually(lambda: node.stats.deliveries == 500)
    assert connection.waiting_bytes() > 500 * 8000 - 1_000_000, "4 MB without the bound"
    assert [(await peer.push())["pub"]["data"][0] for _ in range(500)] == list(range(500))
