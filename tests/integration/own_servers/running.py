"""Instances of one stack behind one gateway, all of them processes: what a test gets."""

import enum
import itertools
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from integration.own_servers.driver import Clients, running_clients
from integration.own_servers.gateway_process import GatewayProcess
from integration.own_servers.instance import Instance, JoinedInstance
from integration.own_servers.stack import Stack
from support.system import wait_for


class Source(enum.Enum):
    """How the gateway learns of the instances."""

    SETTINGS = "settings"  # `--backend`, of a gateway alone, without an engine
    FILE = "file"  # a watched file, of a gateway with an engine
    JOIN = "join"  # `ringway join` beside each server, at a gateway with an engine


class OwnServers:
    """Instances of a stack, and the gateway in front of them. `on_move` is said of each instance."""

    def __init__(self, stack: Stack, folder: Path, source: Source = Source.SETTINGS, on_move: str = "auto") -> None:
        self.stack = stack
        self.source = source
        self.on_move = on_move
        self.instances: dict[str, Instance] = {}
        self._folder = folder
        self._numbers = itertools.count()
        self._gateway: GatewayProcess | None = None
        self._file = folder / "backends.json"
        self._offered: set[str] = set()

    @property
    def gateway(self) -> GatewayProcess:
        """The gateway, which must have been started."""
        assert self._gateway is not None
        return self._gateway

    @property
    def moves_unseen(self) -> bool:
        """True if its connections are moved unseen by their clients."""
        return self.on_move == "reopen" or (self.on_move == "auto" and self.stack.is_plain)

    def begin(self, names: Sequence[str]) -> None:
        """Start instances called `names` and the gateway, and wait until all of them take clients."""
        if self.source is Source.JOIN:
            self._gateway = GatewayProcess("up", self._folder, ["--nodes", "0"])
            self._gateway.launch()
            self.start(*names)
        else:
            self.start(*names)
            self._gateway = self._over_running()
            self._gateway.launch()
        self._gateway.wait_ready()
        for name in names:
            self.wait_active(name)

    def _over_running(self) -> GatewayProcess:
        if self.source is Source.FILE:
            return GatewayProcess("up", self._folder, ["--backends", str(self._file)])
        flags = [f"--backend={each.url},name={name},on-move={self.on_move}" for name, each in self.instances.items()]
        return GatewayProcess("gateway", self._folder, flags)

    def start(self, *names: str) -> None:
        """Start instances, new ones or those that have ended, all at once; wait until they listen and are offered."""
        for name in names:
            if name not in self.instances:
                self.instances[name] = self._make(name)
            self.instances[name].start()
        for name in names:
            self.instances[name].wait_ready()
        self._offer(self._offered | set(names))

    def withdraw(self, name: str) -> None:
        """Offer an instance no more, by its source; the gateway leads its clients away."""
        instance = self.instances[name]
        if isinstance(instance, JoinedInstance):
            instance.leave()
        self._offer(self._offered - {name})

    def remove(self, name: str) -> None:
        """End an instance and forget it; wait until the gateway uses it no more."""
        self._offer(self._offered - {name})
        self.instances.pop(name).end()
        wait_for(lambda: self.gateway.states().get(name) != "active", f"{name} to be out")

    def restart(self, name: str) -> None:
        """Start an instance that has ended, at the same port, and wait until the gateway uses it again."""
        self.start(name)
        self.wait_active(name)

    def wait_active(self, name: str) -> None:
        """Wait until the gateway uses an instance."""
        wait_for(lambda: self.gateway.states().get(name) == "active", f"{name} to be used")

    @contextmanager
    def clients(self, count: int, interval_ms: int = 200) -> Iterator[Clients]:
        """Run clients that connect through the gateway; messages of each have been acknowledged when this begins."""
        url = self.gateway.url.replace("http://", "ws://") + self.stack.path
        log = self._folder / f"clients-{next(self._numbers)}.log"
        with running_clients(self.stack, url, count, log, interval_ms) as clients:
            yield clients

    def stop(self) -> None:
        """End everything."""
        if self._gateway is not None:
            self._gateway.stop()
        for instance in self.instances.values():
            instance.end()

    def _make(self, name: str) -> Instance:
        if self.source is Source.JOIN:
            return JoinedInstance(self.stack, name, self._folder, self.on_move)
        return Instance(self.stack, name, self._folder)

    def _offer(self, names: set[str]) -> None:
        """Write the file of backends; a gateway sees the change within two seconds."""
        self._offered = names
        rows = [{"name": name, "url": self.instances[name].url, "on_move": self.on_move} for name in sorted(names)]
        draft = self._file.with_suffix(".new")
        draft.write_text(json.dumps({"backends": rows}))
        draft.rename(self._file)


@contextmanager
def own_servers(
    stack: Stack, names: Sequence[str], source: Source = Source.SETTINGS, on_move: str = "auto"
) -> Iterator[OwnServers]:
    """Start instances called `names` and a gateway over them; end all with the block. Raise `Absent`."""
    stack.server("0"), stack.client()  # builds what is not built yet, before anything runs
    with tempfile.TemporaryDirectory(prefix="ringway-own-") as folder:
        servers = OwnServers(stack, Path(folder), source, on_move)
        try:
            servers.begin(names)
            yield servers
        finally:
            servers.stop()
