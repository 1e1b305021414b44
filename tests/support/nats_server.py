"""A real NATS server of one's own, for tests and benchmarks: alone or one of a cluster, killed, and started again."""

import json
import os
import shutil
import signal
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ringway.engine.nats.embedded import find_server
from support.server_process import ServerProcess
from support.system import free_port, wait_for

READY_S = 30.0

_CONFIG = """\
server_name: {name}
listen: "{host}:{port}"
http: "{host}:{monitor_port}"
jetstream {{ store_dir: "{store}", sync_interval: 10s, {jetstream} }}
max_payload: 8MB
max_pending: 64MB
"""

_CLUSTER = """\
cluster {{ name: fleet, listen: "{host}:{route_port}", routes: [{routes}] }}
"""


class NatsServer:
    """The server called `name`, with JetStream, in `directory`; `routes` are the cluster ports of all, its own too.

    `settings` are further lines of its configuration; `jetstream` goes into its part about JetStream.
    It keeps its addresses through every stop and start, and its data in `directory`/data. It ends with the thread that
    started it, however that ends.
    """

    def __init__(
        self,
        directory: Path,
        name: str,
        *,
        host: str = "127.0.0.1",
        route_port: int = 0,
        routes: Sequence[int] = (),
        settings: str = "",
        jetstream: str = "",
    ) -> None:
        self.name = name
        self.port = free_port()
        self._monitor = f"{host}:{free_port()}"
        self._directory = directory
        self._process = ServerProcess(directory / "nats.log")
        text = _CONFIG.format(
            name=name,
            host=host,
            port=self.port,
            monitor_port=self._monitor.rpartition(":")[2],
            store=directory / "data",
            jetstream=jetstream,
        )
        if routes:
            addresses = ", ".join(f'"nats://{host}:{port}"' for port in routes)
            text += _CLUSTER.format(host=host, route_port=route_port, routes=addresses)
        directory.mkdir(parents=True, exist_ok=True)
        self._text = text
        self._write(settings)

    @property
    def pid(self) -> int:
        """The id of its process, which runs."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """True if its process lives."""
        return self._process.running

    def launch(self) -> None:
        """Start its process, and do not wait: one of a cluster is well only with others."""
        self._process.launch([find_server(), "-c", str(self._directory / "nats.conf")])

    def start(self) -> None:
        """Start it, and return when it is well, with all that it keeps up to date."""
        self.launch()
        self.await_well()

    def await_well(self) -> None:
        """Return when it says that it is well."""
        wait_for(self._well_or_ended, f"NATS {self.name} to be well", READY_S)
        if not self.running:
            raise RuntimeError(f"nats-server ended: {self._process.last_words()}")

    def reload(self, settings: str) -> None:
        """Let it read `settings` in place of those that it has; it does so soon after."""
        self._write(settings)
        os.kill(self._process.pid, signal.SIGHUP)

    def stop(self) -> None:
        """End it in order."""
        self._process.end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would that spares the disk's cache."""
        self._process.end(signal.SIGKILL)

    def lose_data(self) -> None:
        """Remove what it has on disk; it must not be running."""
        shutil.rmtree(self._directory / "data", ignore_errors=True)

    def monitor(self, path: str) -> Any:
        """Return what it says of itself at `path` of its monitoring port. Raise `OSError` where it does not."""
        with urllib.request.urlopen(f"http://{self._monitor}/{path}", timeout=5) as answer:
            return json.load(answer)

    def _write(self, settings: str) -> None:
        (self._directory / "nats.conf").write_text(f"{self._text}{settings}\n")

    def _well_or_ended(self) -> bool:
        return not self.running or bool(self.monitor("healthz")["status"] == "ok")
