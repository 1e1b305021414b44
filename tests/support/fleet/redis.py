"""One Redis server, with an append-only file or without."""

from pathlib import Path

from support.fleet.fleet import Fleet
from support.redis_server import RedisServer

THE_ONE = "redis"


def kept(*, appendonly: bool) -> tuple[str, ...]:
    """The settings of a server that keeps its data on disk, or does not."""
    return ("appendonly yes", "appendfsync always") if appendonly else ()


class RedisFleet(Fleet):
    """A server in `directory`: a fleet of one."""

    def __init__(
        self, directory: Path, *, appendonly: bool, host: str = "127.0.0.1", binary: str = "redis-server"
    ) -> None:
        server = RedisServer(directory / THE_ONE, *kept(appendonly=appendonly), host=host, binary=binary)
        super().__init__(server.url, {THE_ONE: server}, outlives_leader=appendonly, outlives_all=appendonly)

    def leader(self) -> str:
        """Return the one."""
        return THE_ONE

    def await_ready(self) -> None:
        """It was ready when it was started."""

    def await_served(self) -> None:
        """There is no other."""
