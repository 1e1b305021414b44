"""Cost of one client to a node: attacks on a real node's process, whose peak of memory the kernel reports.

`scripts/bench abuse` plays the same, and more, for longer; here each attack is as long as its bound takes to show.
"""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from integration.node.kit import PING, TEXT, Peer, frame
from integration.system.test_flood import metrics
from support.system import System, running_system

MIB = 2**20
PEAK_BYTES_MAX = 32 * MIB
ATTACKERS = 6
BIG = "x" * 60_000
CONTINUATION = 0x0

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with running_system(nodes=1) as running:
        yield running


@pytest.fixture(scope="module")
def port(system: System) -> int:
    return int(system.nodes()["node-1"]["url"].rpartition(":")[2].partition("/")[0])


@asynccontextmanager
async def connected(port: int, count: int, receive_buffer_bytes: int = 0) -> AsyncIterator[list[Peer]]:
    """Clients of the node, which are cut at the end of the block."""
    peers: list[Peer] = []
    try:
        for _ in range(count):
            peers.append(await Peer.open(port, receive_buffer_bytes=receive_buffer_bytes, host=f"127.0.0.1:{port}"))
            await peers[-1].connect()
        yield peers
    finally:
        for peer in peers:
            peer.abort()


class Watched:
    """The node's process: how much more memory it takes at its peak than it had when this was made."""

    def __init__(self, system: System) -> None:
        self._process = Path(f"/proc/{system.pid_of('node-1')}")
        (self._process / "clear_refs").write_text("5")  # proc(5): the peak begins anew
        self._before = self._bytes("VmRSS")

    def assert_bounded(self) -> None:
        assert self._bytes("VmHWM") - self._before <= PEAK_BYTES_MAX

    def _bytes(self, what: str) -> int:
        lines = (self._process / "status").read_text().splitlines()
        return 1024 * int(next(line for line in lines if line.startswith(f"{what}:")).split()[1])


def batch(*requests: dict[str, Any]) -> bytes:
    lines = [json.dumps({"id": n + 100, **request}) for n, request in enumerate(requests)]
    return frame(TEXT, "\n".join(lines).encode())


async def received(peer: Peer, size: int) -> None:
    """Read until so many bytes have come."""
    while size > 0:
        size -= len((await peer.recv())[1])


async def still_served(port: int) -> None:
    async with connected(port, 1) as (other,):
        await other.subscribe("elsewhere")
        await other.publish("elsewhere", 1)
        assert (await other.push())["channel"] == "elsewhere"


@pytest.fixture
async def kept(port: int) -> str:
    """A channel whose history is 3 MB."""
    async with connected(port, 1) as (peer,):
        if not (await peer.ask(history={"channel": "kept", "limit": 1}))["history"].get("publications"):
            for n in range(50):
                peer.send({"id": 100 + n, "publish": {"channel": "kept", "data": BIG}})
                assert "publish" in await peer.reply(100 + n)
    return "kept"


@pytest.mark.parametrize("reverse", [False, True], ids=["oldest first", "newest first"])
async def test_history_is_gathered_as_fast_as_it_is_read(system: System, port: int, kept: str, reverse: bool) -> None:
    async with connected(port, ATTACKERS) as peers:
        watched = Watched(system)
        for peer in peers:
            peer.raw(batch(*[{"history": {"channel": kept, "limit": 1000, "reverse": reverse}}] * 100))
        await asyncio.gather(*(received(peer, MIB) for peer in peers))
        watched.assert_bounded()
        await still_served(port)


async def test_history_that_is_not_read_is_not_gathered(system: System, port: int, kept: str) -> None:
    async with connected(port, ATTACKERS, receive_buffer_bytes=4096) as peers:
        watched = Watched(system)
        before = metrics(system, "node-1")["ringway_node_history_reads_total"]
        for peer in peers:
            peer.raw(batch(*[{"history": {"channel": kept, "limit": 1000}}] * 100) * 10)
        async with asyncio.timeout(30):
            while (await told(system))["ringway_node_slow_connections"] < ATTACKERS:
                await asyncio.sleep(0.05)
        await still_served(port)
        reads = (await told(system))["ringway_node_history_reads_total"] - before
        assert ATTACKERS <= reads <= 4 * ATTACKERS, "of 6,000 that were asked for"
        watched.assert_bounded()


async def test_presence_of_many_asked_for_again_and_again(system: System, port: int) -> None:
    async with connected(port, 100) as crowd, connected(port, ATTACKERS) as peers:
        for peer in crowd:
            await peer.subscribe("crowd")
        watched = Watched(system)
        for peer in peers:
            peer.raw(batch(*[{"presence": {"channel": "crowd"}}] * 1200))
        await asyncio.gather(*(received(peer, MIB) for peer in peers))
        watched.assert_bounded()
        await still_served(port)


async def test_publishes_are_read_no_faster_than_they_may_come(system: System, port: int) -> None:
    one = batch({"publish": {"channel": "big", "data": BIG}})
    async with connected(port, 3) as peers:
        watched = Watched(system)
        before = metrics(system, "node-1")["ringway_node_published_total"]
        began = time.monotonic()
        for peer in peers:
            peer.raw(one * 200)
        async with asyncio.timeout(60):
            while (taken := (await told(system))["ringway_node_published_total"] - before) < 36 * len(peers):
                await asyncio.sleep(0.05)
        took_s = time.monotonic() - began
        await still_served(port)
        assert taken * len(one) / len(peers) <= 2 * MIB + took_s * MIB + 256 * 1024, "what lies in buffers is let in"
        watched.assert_bounded()


async def test_publications_that_nobody_reads_wait_once_for_all(system: System, port: int) -> None:
    async with connected(port, 100, receive_buffer_bytes=4096) as slow, connected(port, 2) as (publisher, reader):
        for peer in (*slow, reader):
            await peer.subscribe("firehose")
        watched = Watched(system)
        for n in range(24):  # 0.7 MB: below what closes them
            await publisher.publish("firehose", BIG[:30_000])
            assert (await reader.push())["pub"]["offset"] > n
        assert (await told(system))["ringway_node_slow_connections"] == 100
        watched.assert_bounded()
        for peer in slow[:5]:
            for _ in range(24):
                await peer.push()


@pytest.mark.parametrize(
    "flood",
    [
        (frame(TEXT, b"{", fin=False) + frame(CONTINUATION, b" ", fin=False) * 1000 + frame(CONTINUATION, b"}")) * 6,
        frame(TEXT, b"") * 6000,
        frame(PING, b"x" * 125) * 6000,
        frame(TEXT, b"{}\n" * 21_000),
        batch({"ping": {}}) * 6000,
    ],
    ids=["tiny fragments", "empty frames", "pings", "pongs in one frame", "commands"],
)
async def test_frames_over_the_rate_end_with_3013(system: System, port: int, flood: bytes) -> None:
    async with connected(port, 1) as (peer,):
        watched = Watched(system)
        peer.raw(flood)
        assert (await peer.closed())[0] == 3013
        watched.assert_bounded()
    await still_served(port)


async def test_new_channels_over_the_rate_are_refused(port: int) -> None:
    async with connected(port, 1) as (peer,):
        start = os.urandom(4).hex()
        peer.send(*({"id": 100 + n, "publish": {"channel": f"{start}-{n}", "data": 1}} for n in range(900)))
        replies = [await peer.reply(100 + n) for n in range(900)]
        refused = [reply["error"] for reply in replies if "error" in reply]
        assert refused
        assert {(error["code"], error["temporary"]) for error in refused} == {(111, True)}
        assert all("publish" in reply for reply in replies[:500]), "so many may be new at once"
        await peer.publish(f"{start}-0", 2)


async def told(system: System) -> dict[str, float]:
    return await asyncio.to_thread(metrics, system, "node-1")
