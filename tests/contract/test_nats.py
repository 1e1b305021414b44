"""The contract of engines, over a real NATS server."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ringway.engine.nats.embedded import EmbeddedNats
from ringway.engine.nats.engine import NatsEngine
from ringway.engine.nats.opening import open_nats
from ringway.testing.engine_contract import EngineContract


class NatsWorld:
    payload_bytes_max = 8 << 20

    def __init__(self, server: EmbeddedNats, store: Path) -> None:
        self._server = server
        self._store = store
        self._opened = 0

    async def open(self) -> NatsEngine:
        self._opened += 1
        return await open_nats(self._server.url, cluster="contract", name=f"member {self._opened}")

    async def go_away(self) -> None:
        await self._server.stop()

    async def come_back(self) -> None:
        await self._server.start()

    async def lose_data(self) -> None:
        shutil.rmtree(self._store)

    async def pass_time(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class TestNatsEngine(EngineContract):
    @pytest.fixture
    async def world(self, tmp_path: Path) -> AsyncIterator[NatsWorld]:
        server = EmbeddedNats(tmp_path)
        await server.start()
        yield NatsWorld(server, tmp_path / "jetstream")
        await server.stop()
