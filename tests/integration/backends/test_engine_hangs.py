"""NATS that hangs, between two gateways: a server that has registered at one keeps its clients at the other."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.backends.kit import Crowd, EchoServer
from integration.backends.test_two_gateways import second_gateway
from integration.system.conftest import SOON
from integration.system.witness import until
from support.system import System, running_system

CLIENTS = 8
HANGS_S = 18.0
"""Longer than it takes to call a gateway silent, and the lease of its server over."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EchoServer]:
    server = EchoServer("a", tmp_path)
    server.start()
    yield server
    server.process.kill_all()


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    file = tmp_path / "backends.json"
    file.write_text('{"backends": []}')
    with running_system(f"--backends={file}", nodes=0, environ=SOON) as running:
        yield running


async def test_nobody_is_cut_while_the_engine_hangs(system, server):
    system.start("join", server.url, "--name", "a", "--on-move", "close")
    await until(lambda: "a" in system.nodes(), "the server to be registered at the first gateway")
    _, other = await second_gateway(system)
    async with Crowd(CLIENTS, other) as crowd:
        await until(lambda: crowd.spread["a"] == CLIENTS, "the first answer to each client")
        await until(lambda: system.nodes()["a"]["connections"] == CLIENTS, "all clients to be counted")
        refused = sum(client.refused for client in crowd.clients)
        system.kill("nats", signal.SIGSTOP)
        try:
            await asyncio.sleep(HANGS_S)
        finally:
            system.kill("nats", signal.SIGCONT)
        await until(lambda: system.nodes()["a"]["connections"] == CLIENTS, "all to be counted again")
        sent = [client.sent for client in crowd.clients]
        await until(lambda: all(c.sent > s + 1 for c, s in zip(crowd.clients, sent, strict=True)), "further answers")
        assert (crowd.codes, crowd.lost) == ({}, 0)
        assert sum(client.refused for client in crowd.clients) == refused
