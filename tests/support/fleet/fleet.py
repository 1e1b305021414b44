"""Fleets of engine servers: they are started, lose servers, and get them back."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Protocol

from support.system import wait_for


class Server(Protocol):
    """One server. It keeps its address through every stop and start."""

    @property
    def port(self) -> int:
        """The addresses to which members connect."""
        ...

    @property
    def running(self) -> bool:
        """True if its process lives."""
        ...

    def start(self) -> None:
        """Start it, and return when it can be used."""
        ...

    def stop(self) -> None:
        """End it in order."""
        ...

    def kill(self) -> None:
        """End it with `kill -9`."""
        ...

    def lose_data(self) -> None:
        """Remove what it has on disk; it must not be running."""
        ...


class Fleet(ABC):
    """Servers that are one engine together, at `url`.

    Its methods block; call all of them in one thread, which lives as long as the fleet shall: the servers end with it.
    """

    def __init__(self, url: str, servers: Mapping[str, Server], *, outlives_leader: bool, outlives_all: bool) -> None:
        self.url = url
        self.servers = servers
        self.outlives_leader = outlives_leader
        """Whether what was confirmed is still there when the server that matters was killed and is back."""
        self.outlives_all = outlives_all
        """Whether what was confirmed is still there when all servers were killed at once and are back."""
        self.kills = 0
        """How many leaders were killed; a fleet in which several matter takes them in turn."""

    @property
    def ports(self) -> list[int]:
        """All ports to which members connect."""
        return [server.port for server in self.servers.values()]

    @abstractmethod
    def leader(self) -> str:
        """Return which server matters now; empty where nobody can tell at the moment."""

    @abstractmethod
    def await_ready(self) -> None:
        """Return when all servers run and are one engine; raise `TimeoutError` where they do not get there."""

    @abstractmethod
    def await_served(self) -> None:
        """Return when those that are left have taken over from one that was killed; at once where none can."""

    def start(self) -> None:
        """Start all servers that do not run, and return when the engine can be used."""
        for server in self.servers.values():
            if not server.running:
                server.start()
        self.await_ready()

    def stop(self) -> None:
        """End all servers in order."""
        for server in self.servers.values():
            server.stop()

    def kill_all(self) -> None:
        """Kill all servers."""
        for server in self.servers.values():
            server.kill()

    def kill_leader(self) -> str:
        """Kill the server that matters now; return which that was."""
        which = str(wait_for(self.leader, "a leader"))
        self.servers[which].kill()
        self.kills += 1
        return which

    def restart(self, which: str) -> None:
        """Start the server `which`, which was killed; return when it can be used, however the others are."""
        self.servers[which].start()

    def lose_data(self) -> None:
        """Remove what all servers keep; none may be running. They are the same fleet when they come back."""
        for server in self.servers.values():
            server.lose_data()
