"""The contract of engines, over a real NATS server."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ringway.engine.nats.embedded import EmbeddedNats
from ringway.engine.nats.engine import NatsEngine
from ringway.engine.nats.opening import open_nats
from ringway.net.paced_reading import READ_PAUSE_S
from ringway.testing.contract.away import AwayContract
from ringway.testing.contract.bus import BusContract
from ringway.testing.contract.lease import LeaseContract
from ringway.testing.contract.registry import RegistryContract
from ringway.testing.engine_contract import EngineContract


class NatsWorld:
    payload_bytes_max = 8 << 20

    def __init__(self, server: EmbeddedNats, store: Path, read_pause_s: float = 0.0) -> None:
        self._server = server
        self._store = store
        self._read_pause_s = read_pause_s
        self._opened = 0

    async def open(self) -> NatsEngine:
        self._opened += 1
        name = f"member {self._opened}"
        return await open_nats(self._server.url, cluster="contract", name=name, read_pause_s=self._read_pause_s)

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


class TestNatsInBatches(RegistryContract, AwayContract, BusContract, LeaseContract):
    """What gateways hear reports by, and all that an engine needs beside it."""

    @pytest.fixture
    async def world(self, tmp_path: Path) -> AsyncIterator[NatsWorld]:
        server = EmbeddedNats(tmp_path)
        await server.start()
        yield NatsWorld(server, tmp_path / "jetstream", READ_PAUSE_S)
        await server.stop()
