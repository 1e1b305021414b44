"""The contract of engines, over real Redis and Valkey servers: single ones, and a cluster of three masters."""

import asyncio
import itertools
from collections.abc import Iterator

import pytest

from ringway.engine.redis.engine import RedisEngine, open_redis
from ringway.net.paced_reading import READ_PAUSE_S
from ringway.testing.contract.away import AwayContract
from ringway.testing.contract.bus import BusContract
from ringway.testing.contract.lease import LeaseContract
from ringway.testing.contract.registry import RegistryContract
from ringway.testing.engine_contract import EngineContract
from support.fleet import Fleet, make_fleet

worlds = itertools.count(1)


class RedisWorld:
    payload_bytes_max = 8 << 20

    def __init__(self, fleet: Fleet, read_pause_s: float = 0.0) -> None:
        self._fleet = fleet
        self._read_pause_s = read_pause_s
        # A fleet serves many tests: each has names of its own.
        self._cluster = f"contract-{next(worlds)}"
        self._numbers = itertools.count(1)

    async def open(self) -> RedisEngine:
        name = f"member {next(self._numbers)}"
        return await open_redis(self._fleet.url, cluster=self._cluster, name=name, read_pause_s=self._read_pause_s)

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


class RedisBatchesContract(RegistryContract, AwayContract, BusContract, LeaseContract):
    """What gateways hear reports by, and all that an engine needs beside it."""

    kind: str

    @pytest.fixture
    def world(self, fleet: Fleet) -> Iterator[RedisWorld]:
        yield RedisWorld(fleet, READ_PAUSE_S)
        fleet.start()


class TestRedisInBatches(RedisBatchesContract):
    kind = "redis"


class TestRedisClusterInBatches(RedisBatchesContract):
    kind = "redis-cluster"
