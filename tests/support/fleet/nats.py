"""NATS servers with JetStream: three, which keep everything three times, or one, as `ringway up` runs it."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from support.fleet.fleet import Fleet
from support.nats_server import NatsServer
from support.system import free_port, wait_for

READY_S = 30.0

STREAMS = ("rw=ringway=room", "KV_rw-ringway-leases", "")
"""History of the namespace "room", and leases, of the cluster of members that is called "ringway"; and JetStream."""


class NatsFleet(Fleet):
    """`count` servers in `directory`. Who leads one of `streams` matters, each in turn; for "", who leads JetStream."""

    def __init__(
        self, directory: Path, *, count: int = 3, streams: Sequence[str] = STREAMS, host: str = "127.0.0.1"
    ) -> None:
        self._streams = streams
        routes = [free_port() for _ in range(count)] if count > 1 else []
        self._nodes = {
            f"n{number}": NatsServer(
                directory / f"n{number}",
                f"n{number}",
                host=host,
                route_port=routes[number] if routes else 0,
                routes=routes,
            )
            for number in range(count)
        }
        url = "nats://" + ",".join(f"{host}:{server.port}" for server in self._nodes.values())
        super().__init__(url, self._nodes, outlives_leader=True, outlives_all=True)

    def start(self) -> None:
        """Start all servers, and return when the engine can be used."""
        for server in self._nodes.values():
            if not server.running:
                server.launch()  # none is well before others are there
        self.await_ready()

    def await_ready(self) -> None:
        """Return when all servers are well, and one leads."""
        for server in self._nodes.values():
            server.await_well()
        wait_for(self.leader, "NATS to have a leader", READY_S)

    def await_served(self) -> None:
        """Return when another leads what the one that was killed led."""
        if len(self._nodes) > 1:
            wait_for(lambda: all(map(self._leader_of, self._streams)), "NATS to have leaders", READY_S)

    def leader(self) -> str:
        """Ask any server who leads."""
        if len(self._nodes) == 1:
            return next(iter(self._nodes))
        return self._leader_of(self._streams[self.kills % len(self._streams)])

    def _leader_of(self, stream: str) -> str:
        for server in self._nodes.values():
            if server.running:
                with suppress(OSError):
                    name = _leader(server.monitor("jsz?streams=true"), stream)
                    return name if name and self._nodes[name].running else ""  # the dead are told for a while
        return ""


def _leader(said: dict[str, Any], stream: str) -> str:
    """Who leads `stream` by what a server says of JetStream; where it is not there (yet), who leads all."""
    for account in said.get("account_details", []):
        for each in account.get("stream_detail", []):
            if each["name"] == stream:
                return str(each.get("cluster", {}).get("leader", ""))
    return str(said.get("meta_cluster", {}).get("leader", ""))
