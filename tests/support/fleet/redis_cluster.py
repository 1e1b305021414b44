"""A Redis Cluster of three masters, each with a replica or without; made by the commands, without redis-cli."""

from pathlib import Path

from support.fleet.fleet import Fleet
from support.fleet.redis import kept
from support.redis_server import RedisServer
from support.system import free_port, wait_for

MASTERS = 3
SLOTS = 16384
NODE_TIMEOUT_MS = 1000
READY_S = 60.0


class RedisClusterFleet(Fleet):
    """Masters, and `replicas` (0 or 1) for each, in `directory`. The masters matter in turn.

    A master without a replica takes its slots with it until it is back: with an append-only file with its data, without
    one empty. The other slots are served meanwhile.
    """

    def __init__(self, directory: Path, *, appendonly: bool = True, replicas: int = 0, host: str = "127.0.0.1") -> None:
        self._host = host
        self._buses = {f"r{number}": free_port() for number in range(MASTERS * (1 + replicas))}
        self._redis = {
            name: RedisServer(
                directory / name,
                *kept(appendonly=appendonly),
                "cluster-enabled yes",
                "cluster-config-file ../nodes.conf",  # beside the data: who it is, it knows also when that is lost
                f"cluster-port {bus}",
                f"cluster-node-timeout {NODE_TIMEOUT_MS}",
                "cluster-require-full-coverage no",
                "repl-diskless-sync-delay 0",
                host=host,
            )
            for name, bus in self._buses.items()
        }
        url = "redis+cluster://" + ",".join(f"{host}:{server.port}" for server in self._redis.values())
        lasting = appendonly and not replicas  # a replica that takes over may lack what was confirmed
        super().__init__(url, self._redis, outlives_leader=lasting, outlives_all=appendonly)

    def await_ready(self) -> None:
        """Return when all know all, every slot is served, and every replica follows; the first time, make it so."""
        if not any(self._known(server) for server in self._redis.values()):
            self._meet()
        wait_for(self._is_whole, "the cluster to be whole", READY_S)

    def await_served(self) -> None:
        """Return when every slot is served; where there are no replicas, at once."""
        if len(self._redis) > MASTERS:
            wait_for(self._is_served, "a replica to take over", READY_S)

    def leader(self) -> str:
        """The next of the masters that run, in the order of their names."""
        masters = [name for name, server in self._redis.items() if server.running and self._is_master(server)]
        if not masters:
            return ""
        return masters[self.kills % len(masters)]

    def _meet(self) -> None:
        first, *others = self._redis.values()
        names = list(self._redis)
        bus = str(self._buses[names[0]])
        for number, server in enumerate(self._redis.values()):
            _insist(server, "CLUSTER", "SET-CONFIG-EPOCH", str(number + 1))
            if number < MASTERS:
                slots = range(number * SLOTS // MASTERS, (number + 1) * SLOTS // MASTERS)
                _insist(server, "CLUSTER", "ADDSLOTSRANGE", str(slots[0]), str(slots[-1]))
        for server in others:
            _insist(server, "CLUSTER", "MEET", self._host, str(first.port), bus)
        wait_for(lambda: all(self._known(each) == len(names) - 1 for each in self._redis.values()), "all to meet")
        for number, server in enumerate(list(self._redis.values())[MASTERS:]):
            master = self._redis[names[number]]
            _insist(server, "CLUSTER", "REPLICATE", _text(master.command("CLUSTER", "MYID")))

    def _known(self, server: RedisServer) -> int:
        """How many others it knows by name, and is in touch with."""
        lines = _text(server.command("CLUSTER", "NODES")).splitlines()
        return sum(" connected" in line and "handshake" not in line and "myself" not in line for line in lines)

    def _is_master(self, server: RedisServer) -> bool:
        """True if it is a master and serves slots."""
        lines = _text(server.command("CLUSTER", "NODES")).splitlines()
        mine = next((line.split() for line in lines if "myself" in line), [])
        return len(mine) > 8 and "master" in mine[2]

    def _is_served(self) -> bool:
        running = [server for server in self._redis.values() if server.running]
        return (
            all(
                f"cluster_slots_ok:{SLOTS}\r" in (said := server.command("CLUSTER", "INFO"))
                and "cluster_slots_pfail:0\r" in said
                for server in running
            )
            and sum(map(self._is_master, running)) == MASTERS
        )

    def _is_whole(self) -> bool:
        return all(
            "cluster_state:ok" in (said := server.command("CLUSTER", "INFO"))
            and f"cluster_slots_ok:{SLOTS}\r" in said
            and self._known(server) == len(self._redis) - 1
            and "fail" not in server.command("CLUSTER", "NODES")
            and "master_link_status:down" not in server.command("INFO", "replication")
            for server in self._redis.values()
        )


def _insist(server: RedisServer, *words: str) -> None:
    """Carry out a command that must not fail."""
    answer = server.command(*words)
    if not answer.startswith("+OK"):
        raise RuntimeError(f"{' '.join(words)}: {answer}")


def _text(answer: str) -> str:
    """The text of an answer of one string."""
    return answer.partition("\r\n")[2].strip()
