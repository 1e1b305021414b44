"""Redis master with two replicas, and three sentinels that promote a replica when it dies."""

import re
from pathlib import Path

from support.fleet.fleet import Fleet
from support.fleet.redis import kept
from support.redis_server import RedisServer
from support.system import wait_for

NAME = "ringway"
"""By which the sentinels know the master."""

QUORUM = 2
DOWN_AFTER_MS = 1000
FAILOVER_TIMEOUT_MS = 3000
READY_S = 60.0


class SentinelFleet(Fleet):
    """Three servers and three sentinels in `directory`. The present master matters; the sentinels are not touched.

    A master that was killed and is back takes itself for the master, until the sentinels make it a replica (they take
    8 s, in `sentinel.c` SENTINEL_PUBLISH_PERIOD * 4). Replication is asynchronous: what was confirmed may be lost with
    the master.
    """

    def __init__(self, directory: Path, *, appendonly: bool = True, host: str = "127.0.0.1") -> None:
        settings = (*kept(appendonly=appendonly), "repl-diskless-sync-delay 0")
        master = RedisServer(directory / "r0", *settings, host=host)
        replicas = [
            RedisServer(directory / f"r{number}", *settings, f"replicaof {host} {master.port}", host=host)
            for number in (1, 2)
        ]
        self._redis = {f"r{number}": server for number, server in enumerate([master, *replicas])}
        self.sentinels = [
            RedisServer(
                directory / f"s{number}",
                f"sentinel monitor {NAME} {host} {master.port} {QUORUM}",
                f"sentinel down-after-milliseconds {NAME} {DOWN_AFTER_MS}",
                f"sentinel failover-timeout {NAME} {FAILOVER_TIMEOUT_MS}",
                f"sentinel parallel-syncs {NAME} 2",
                host=host,
                sentinel=True,
            )
            for number in range(3)
        ]
        where = ",".join(f"{host}:{sentinel.port}" for sentinel in self.sentinels)
        url = f"redis+sentinel://{where}/{NAME}"
        super().__init__(url, self._redis, outlives_leader=False, outlives_all=False)

    @property
    def ports(self) -> list[int]:
        """Those of the servers and of the sentinels."""
        return [server.port for server in (*self._redis.values(), *self.sentinels)]

    def start(self) -> None:
        """Start all, and return when the sentinels know each other, the master and its replicas."""
        for server in (*self._redis.values(), *self.sentinels):
            if not server.running:
                server.start()
        self.await_ready()

    def stop(self) -> None:
        """End all, the sentinels first."""
        for server in (*self.sentinels, *self._redis.values()):
            server.stop()

    def leader(self) -> str:
        """The master, as more than half of the sentinels say, where it says so too."""
        said = [_ports(sentinel.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)) for sentinel in self.sentinels]
        for name, server in self._redis.items():
            if said.count(str(server.port)) > len(said) / 2 and server.running and _role(server) == "master":
                return name
        return ""

    def await_ready(self) -> None:
        """Return when one is the master for all, and the others follow it."""
        wait_for(self._is_whole, "the sentinels to know a master and its replicas", READY_S)

    def await_served(self) -> None:
        """Return when a new master is in office."""
        wait_for(self.leader, "the sentinels to make another the master", READY_S)

    def _is_whole(self) -> bool:
        name = self.leader()
        if not name:
            return False
        master = self._redis[name]
        follow = sum(
            f"master_port:{master.port}\r" in said and "master_link_status:up" in said
            for said in (each.command("INFO", "replication") for each in self._redis.values())
        )
        known = [_fields(sentinel.command("SENTINEL", "MASTER", NAME)) for sentinel in self.sentinels]
        return follow == len(self._redis) - 1 and all(
            (each.get("port"), each.get("num-slaves"), each.get("num-other-sentinels"), each.get("flags"))
            == (str(master.port), str(len(self._redis) - 1), str(len(self.sentinels) - 1), "master")
            for each in known
        )


def _role(server: RedisServer) -> str:
    found = re.search(r"role:(\w+)", server.command("INFO", "replication"))
    return found[1] if found else ""


def _ports(answer: str) -> str:
    """The port in the answer that holds host and port."""
    return (answer.split("\r\n") + [""] * 5)[4]


def _fields(answer: str) -> dict[str, str]:
    """An answer that holds names and values in turn."""
    words = [line for line in answer.split("\r\n") if line and line[0] not in "*$"]
    return dict(zip(words[::2], words[1::2], strict=False))
