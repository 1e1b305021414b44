"""The contract of engines, over real Redis and Valkey servers."""

import asyncio
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from ringway.engine.redis import RedisEngine, open_redis
from ringway.testing.engine_contract import EngineContract
from ringway.testing.redis_server import RedisServer


class RedisWorld:
    payload_bytes_max = 8 << 20

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self._numbers = itertools.count(1)

    async def open(self) -> RedisEngine:
        return await open_redis(self._server.url, cluster="contract", name=f"member-{next(self._numbers)}")

    async def go_away(self) -> None:
        self._server.stop()

    async def come_back(self) -> None:
        self._server.start()

    async def lose_data(self) -> None:
        self._server.lose_data()

    async def pass_time(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class TestRedisEngine(EngineContract):
    @pytest.fixture
    def world(self, tmp_path: Path) -> Iterator[RedisWorld]:
        server = RedisServer(tmp_path, "appendonly yes")
        server.start()
        yield RedisWorld(server)
        server.kill()
