"""The contract of engines, over real Redis and Valkey servers: single ones, and a cluster of three masters."""

import asyncio
import itertools
from collections.abc import Iterator

import pytest

from ringway.engine.redis.engine import RedisEngine, open_redis
from ringway.testing.engine_contract import EngineContract
from support.fleet import Fleet, make_fleet

worlds = itertools.count(1)


class RedisWorld:
    payload_bytes_max = 8 << 20

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        # A fleet serves many tests: each has names of its own.
        self._cluster = f"contract-{next(worlds)}"
        self._numbers = itertools.count(1)

    async def open(self) -> RedisEngine:
        return await open_redis(self._fleet.url, cluster=self._cluster, name=f"member {next(self._numbers)}")

    async def go_away(self) -> None:
        self._fleet.stop()

    async def come_back(self) -> None:
        self._fleet.start()

    async def lose_data(self) -> None:
        self._fleet.lose_data()

    async def pass_time(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@pytest.fixture(scope="class")
def fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    try:
        fleet = make_fleet(request.cls.kind, tmp_path_factory.mktemp(request.cls.kind))
    except ModuleNotFoundError as error:
        pytest.skip(f"no server of this kind: the package {error.name} is not made for this Python or processor")
    try:
        fleet.start()
        yield fleet
    finally:
        fleet.kill_all()


class RedisContract(EngineContract):
    """The contract over one fleet, which all tests share."""

    kind: str

    @pytest.fixture
    def world(self, fleet: Fleet) -> Iterator[RedisWorld]:
        yield RedisWorld(fleet)
        fleet.start()


class TestRedis(RedisContract):
    kind = "redis"


class TestRedis62(RedisContract):
    """The oldest that will do."""

    kind = "redis-6.2"


class TestValkey(RedisContract):
    kind = "valkey"


class TestRedisCluster(RedisContract):
    kind = "redis-cluster"
