"""`ringway gateway` or `ringway up` over servers of a stack, as processes."""

import json
import os
import signal
import subprocess
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from integration.own_servers.instance import descendants, environ_of
from support.server_process import ServerProcess
from support.system import RINGWAY, free_port, wait_for

START_S = 60.0
COMMAND_S = 60.0

SOON = {"RINGWAY_BALANCE_SETTLE_S": "2"}
"""The balancer waits no longer after a change: that is proven elsewhere, in fake time."""


class GatewayProcess:
    """`ringway gateway` or `ringway up`. `url` is where clients begin, `admin_url` where operators do."""

    def __init__(self, command: str, folder: Path, options: Sequence[str]) -> None:
        self.port, admin_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.admin_url = f"http://127.0.0.1:{admin_port}"
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith("RINGWAY_")}
        self.environ |= {**SOON, "RINGWAY_STATE_DIR": str(folder)}
        self._is_up = command == "up"
        self._process = ServerProcess(folder / "gateway.log")
        self.log = folder / "logs" / "gateway-1.log" if self._is_up else folder / "gateway.log"
        self._started = folder / "up.json"
        ports = ["--port", str(self.port), "--admin-port", str(admin_port)]
        if self._is_up:
            ports += ["--registration-port", str(free_port())]  # its usual one is wanted by every system here
        self._command = [*RINGWAY, command, *ports, *options]

    def start(self) -> None:
        """Start it, and wait until it would place a client. Raise `RuntimeError` with its words if it ends."""
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Start it, and wait until servers can join. Raise `RuntimeError` with its words if it ends."""
        self._process.launch(self._command, self.environ)
        if self._is_up:
            wait_for(lambda: self._is_running() and self._started.exists(), "ringway up", START_S)

    def wait_ready(self) -> None:
        """Wait until it would place a client. Raise `RuntimeError` with its words if it ends."""

        def is_ready() -> bool:
            self._is_running()
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)

        wait_for(is_ready, "the gateway", START_S)

    def _is_running(self) -> bool:
        if not self._process.running:
            raise RuntimeError(f"the gateway has ended: {self._process.last_words()}")
        return True

    def ask(self, what: str) -> Any:
        """Return what its admin port answers for /v1/`what`."""
        with urllib.request.urlopen(f"{self.admin_url}/v1/{what}", timeout=10) as answer:
            return json.load(answer)

    def ringway(self, *arguments: str, deadline_s: float = COMMAND_S) -> str:
        """Run a command to its end; return what it prints. Raise `RuntimeError` with its words if it fails."""
        done = subprocess.run(
            [*RINGWAY, *arguments], env=self.environ, capture_output=True, text=True, timeout=deadline_s, check=False
        )
        if done.returncode:
            raise RuntimeError(f"ringway {' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def states(self) -> dict[str, str]:
        """Return the state of each backend: `active`, `down`, `draining`."""
        return {node["name"]: node["state"] for node in self.ask("nodes")}

    def connections(self) -> dict[str, int]:
        """Return the number of connections that it carries, by backend."""
        return {row["node"]: row["connections"] for row in self.ask("explain")["candidates"]}

    def kill(self) -> None:
        """Kill the gateway, as `kill -9` does; its engine and `ringway up`, which starts it again, live on."""
        if not self._is_up:
            self._process.kill_all()
            return
        for pid in list(descendants(self._process.pid)):
            if environ_of(pid).get("RINGWAY_MEMBER_NAME") == "gateway-1":
                os.kill(pid, signal.SIGKILL)

    def start_again(self) -> None:
        """Start it after a kill, and wait until it would place a client; `ringway up` does that by itself."""
        if not self._is_up:
            self._process.launch(self._command, self.environ)
        self.wait_ready()

    def stop(self) -> None:
        """End it in order."""
        self._process.end(signal.SIGTERM)
