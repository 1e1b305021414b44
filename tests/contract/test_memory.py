"""The contract of engines, over the memory engine."""

import asyncio

import pytest

from ringway.engine.memory.engine import MemoryEngine, MemoryHub
from ringway.testing.engine_contract import EngineContract


class MemoryWorld:
    payload_bytes_max = 1 << 20

    def __init__(self) -> None:
        self._now = 0.0
        self._hub = MemoryHub(now=lambda: self._now)

    async def open(self) -> MemoryEngine:
        return self._hub.open()

    async def go_away(self) -> None:
        self._hub.away = True

    async def come_back(self) -> None:
        self._hub.away = False

    async def lose_data(self) -> None:
        self._hub.lose_data()

    async def pass_time(self, seconds: float) -> None:
        self._now += seconds
        await asyncio.sleep(0)


class TestMemoryEngine(EngineContract):
    @pytest.fixture
    def world(self) -> MemoryWorld:
        return MemoryWorld()
