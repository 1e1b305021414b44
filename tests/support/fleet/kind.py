"""The fleets by name, as tests and benchmarks choose them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from support.fleet.fleet import Fleet
from support.fleet.nats import NatsFleet
from support.fleet.package import oldest_redis, valkey
from support.fleet.redis import RedisFleet
from support.fleet.redis_cluster import RedisClusterFleet
from support.fleet.sentinel import SentinelFleet

Make = Callable[[Path, str], Fleet]
"""Makes a fleet in a directory, whose servers listen at a host."""

FLEETS: dict[str, Make] = {
    "nats": lambda directory, host: NatsFleet(directory, count=1, host=host),
    "nats3": lambda directory, host: NatsFleet(directory, host=host),
    "redis": lambda directory, host: RedisFleet(directory, appendonly=True, host=host),
    "redis-6.2": lambda directory, host: RedisFleet(directory, appendonly=True, host=host, binary=oldest_redis()),
    "valkey": lambda directory, host: RedisFleet(directory, appendonly=True, host=host, binary=valkey()),
    "redis-memory": lambda directory, host: RedisFleet(directory, appendonly=False, host=host),
    "sentinel": lambda directory, host: SentinelFleet(directory, host=host),
    "sentinel-memory": lambda directory, host: SentinelFleet(directory, appendonly=False, host=host),
    "redis-cluster": lambda directory, host: RedisClusterFleet(directory, host=host),
    "redis-cluster-memory": lambda directory, host: RedisClusterFleet(directory, appendonly=False, host=host),
    "redis-cluster-replicas": lambda directory, host: RedisClusterFleet(directory, replicas=1, host=host),
}


def make_fleet(name: str, directory: Path, host: str = "127.0.0.1") -> Fleet:
    """Return the fleet called `name`, not yet started."""
    return FLEETS[name](directory, host)


@contextmanager
def running_fleet(name: str, host: str = "127.0.0.1") -> Iterator[Fleet]:
    """Start the fleet called `name` in a directory of its own, and end it with the block."""
    with TemporaryDirectory(prefix="ringway-engine-") as directory:
        fleet = make_fleet(name, Path(directory), host)
        try:
            fleet.start()
            yield fleet
        finally:
            fleet.stop()
