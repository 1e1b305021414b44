"""Clients that know nothing of moves: an official SDK sees 1012, comes back through the gateway; the plan comes out."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from centrifuge import Client, ClientEventHandler, ClientState
from centrifuge.contexts import ConnectedContext, ConnectingContext

from integration.system.conftest import SOON
from integration.system.witness import until
from support.system import running_system

CLIENTS = 45


class Plain(ClientEventHandler):
    """Counts how often it was connected, and with which codes it was sent away."""

    def __init__(self, url: str) -> None:
        self.connected = 0
        self.codes: list[int] = []
        self.client = Client(url, events=self, proxy=None)

    async def on_connected(self, ctx: ConnectedContext) -> None:
        self.connected += 1

    async def on_connecting(self, ctx: ConnectingContext) -> None:
        if self.connected:
            self.codes.append(ctx.code)


@pytest.fixture
async def crowd_of() -> AsyncIterator:
    made: list[Plain] = []

    async def open_all(url: str) -> list[Plain]:
        made.extend(Plain(url) for _ in range(CLIENTS))
        for plain in made:
            await plain.client.connect()
            await plain.client.ready()
        return made

    yield open_all
    for plain in made:
        await plain.client.disconnect()


async def settled(crowd: list[Plain]) -> int:
    """Wait until nobody was connected anew for four seconds; return how often all together were."""
    seen, since = 0, time.monotonic()
    deadline = since + 60
    while time.monotonic() - since < 4:
        now = sum(plain.connected for plain in crowd)
        if now != seen:
            seen, since = now, time.monotonic()
        assert time.monotonic() < deadline, "clients are moved on and on"
        await asyncio.sleep(0.1)
    return seen


async def test_a_third_node_gets_its_share_of_plain_clients_with_few_moves(crowd_of):
    with running_system(environ=SOON) as system:
        crowd = await crowd_of(system.gateway_url.replace("http", "ws") + "/connection/websocket")
        system.start("node")
        share = CLIENTS // 3

        def balanced() -> bool:
            counts = [node["connections"] for node in system.nodes().values()]
            return len(counts) == 3 and sum(counts) == CLIENTS and max(counts) - min(counts) <= 4

        await until(balanced, "a balance", 60)
        await until(lambda: all(plain.client.state is ClientState.CONNECTED for plain in crowd), "all to be back")
        before = await settled(crowd)
        assert balanced()
        moves = before - CLIENTS
        assert moves <= share + 3, Counter(plain.connected for plain in crowd)
        assert max(plain.connected for plain in crowd) <= 3
