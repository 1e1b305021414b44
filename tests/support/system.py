"""A whole system of real processes: `ringway up` in a state directory of its own, ended with the block.

For tests and benchmarks of what happens between processes: members that join, are killed, are drained. Needs Linux:
processes are found by /proc.
"""

import contextlib
import json
import os
import random
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from support.fleet import Fleet

RINGWAY = (sys.executable, "-m", "ringway")

READY_S = 60.0
STOP_S = 30.0

NOTHING: Mapping[str, str] = {}

OPEN = {"RINGWAY_NODE_INSECURE": "true"}
"""The environment of nodes that check no rights of clients: most tests look at what is below that."""


PORTS = range(20_000, 32_000)
"""Below those that outgoing connections are given (32768 and up)."""

NODE_PORTS = range(10_000, 20_000, 20)
"""The first port of the nodes of a system, and the number of ports of each system."""

_reserved: list[socket.socket] = []


def free_port(among: range = PORTS) -> int:
    """Return a port that nobody listens on, and that no other process gets from here while this one lives."""
    while True:
        port = random.choice(among)
        reservation = socket.socket(socket.AF_UNIX)
        try:
            reservation.bind(f"\0ringway-port-{port}")  # a name in the kernel (unix(7), abstract), gone with its holder
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            reservation.close()
        else:
            _reserved.append(reservation)
            return port


def wait_for(condition: Callable[[], Any], what: str, deadline_s: float = 90.0) -> Any:
    """Return the first true value of `condition`; raise `TimeoutError` that says for what was waited."""
    deadline = time.monotonic() + deadline_s
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            value = condition()
            if value:
                return value
        time.sleep(0.05)
    raise TimeoutError(f"waited {deadline_s:g} s for {what}")


def is_ready(gateway_url: str, tls: ssl.SSLContext | None = None) -> bool:
    """True if the gateway at `gateway_url` would place a client."""
    with (
        contextlib.suppress(OSError),
        urllib.request.urlopen(f"{gateway_url}/readyz", timeout=5, context=tls) as answer,
    ):
        return bool(answer.status == 200)
    return False


class System:
    """A running system. `gateway_url` is where clients begin; `state` its state directory.

    `fleet` are the servers of its engine, where that is not the one of `ringway up`.
    """

    def __init__(
        self,
        state: Path,
        port: int,
        admin_port: int,
        environ: Mapping[str, str],
        fleet: "Fleet | None" = None,
        trusted: Path | None = None,
    ) -> None:
        self.state = state
        self.fleet = fleet
        self.tls = ssl.create_default_context(cafile=str(trusted)) if trusted is not None else None
        self.gateway_url = f"{'https' if self.tls else 'http'}://127.0.0.1:{port}"
        self.admin_url = f"http://127.0.0.1:{admin_port}"
        self.environ = {**os.environ, **OPEN, **environ, "RINGWAY_STATE_DIR": str(state)}
        self.up: subprocess.Popen[bytes] | None = None
        self._beside: list[subprocess.Popen[bytes]] = []

    def ringway(self, *arguments: str, deadline_s: float = 60.0) -> str:
        """Run a command to its end; return what it prints. Raise `RuntimeError` with its words where it fails."""
        done = subprocess.run(
            [*RINGWAY, *arguments], env=self.environ, capture_output=True, text=True, timeout=deadline_s, check=False
        )
        if done.returncode:
            raise RuntimeError(f"ringway {' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def start(
        self, *arguments: str, within: Sequence[str] = (), environ: Mapping[str, str] = NOTHING
    ) -> "subprocess.Popen[bytes]":
        """Start a command that keeps running, such as `node`; it is ended with the system.

        `within` is the command that runs it, where that is another one (`netns.Namespace.enter`); `environ` is added to
        its environment.
        """
        log = (self.state / f"{arguments[0]}-beside-{len(self._beside)}.log").open("wb")
        with log:
            process = subprocess.Popen(
                [*within, *RINGWAY, *arguments], env={**self.environ, **environ}, stdout=log, stderr=log
            )
        self._beside.append(process)
        return process

    def nodes(self) -> dict[str, dict[str, Any]]:
        """Return the nodes by name, as the first gateway's admin port lists them (`ringway nodes --json`)."""
        return {node["name"]: node for node in self.ask("nodes")}

    def ask(self, what: str) -> Any:
        """Return what the first gateway's admin port answers for /v1/`what`."""
        with urllib.request.urlopen(f"{self.admin_url}/v1/{what}", timeout=10) as answer:
            return json.load(answer)

    def is_ready(self) -> bool:
        """True if the gateway would place a client."""
        return is_ready(self.gateway_url, self.tls)

    def pid_of(self, name: str) -> int:
        """Return the process id of the child of `up` that is called `name`, or of its NATS server ("nats")."""
        assert self.up is not None
        for task in Path(f"/proc/{self.up.pid}/task").iterdir():
            for pid in (task / "children").read_text().split():
                with contextlib.suppress(OSError):
                    command = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
                    environ = Path(f"/proc/{pid}/environ").read_text().split("\0")
                    is_nats = command[0].endswith("nats-server")
                    if is_nats if name == "nats" else f"RINGWAY_MEMBER_NAME={name}" in environ:
                        return int(pid)
        raise LookupError(f"`up` has no child {name!r}")

    def kill(self, name: str, number: int = signal.SIGKILL) -> int:
        """Send a signal to the child `name` of `up`; return its process id."""
        pid = self.pid_of(name)
        os.kill(pid, number)
        return pid

    def stop(self) -> None:
        """End everything that was started."""
        processes = [*self._beside, *([self.up] if self.up else [])]
        for process in processes:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        for process in processes:
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _channel_nodes(system: System) -> int:
    return sum(node["group"] == "channels" for node in system.nodes().values())


@contextlib.contextmanager
def running_system(
    *flags: str,
    nodes: int = 2,
    environ: Mapping[str, str] = NOTHING,
    fleet: "Fleet | None" = None,
    up_environ: Mapping[str, str] = NOTHING,
    port: int = 0,
    trusted: Path | None = None,
) -> Iterator[System]:
    """Start a system with `nodes` nodes, wait until it is ready, and end it with the block.

    Its gateway listens on `port`; 0: a free one. With `trusted`, the file of an authority, it speaks TLS by `flags`.

    `flags` go to `ringway up`, `environ` to all its processes: settings that have no flag there; `up_environ` only to
    `up` and its children. With a `fleet`, which must run, that is the engine. Raise `RuntimeError` with the output of
    `up` where it does not start.
    """
    port, admin_port = port or free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="ringway-") as directory:
        system = System(Path(directory), port, admin_port, environ, fleet, trusted)
        output = Path(directory) / "up.out"
        command = [*RINGWAY, "up", "--nodes", str(nodes), "--port", str(port), "--admin-port", str(admin_port), *flags]
        command += ["--engine", fleet.url] if fleet is not None else []
        # Nodes take ports from here on: two systems that start at one moment must not want the same ones.
        ports = {"RINGWAY_NODE_PORT": str(free_port(NODE_PORTS)), **system.environ, **up_environ}
        with output.open("wb") as log:
            system.up = subprocess.Popen(command, env=ports, stdout=log, stderr=subprocess.STDOUT)
        try:
            up = system.up
            started = Path(directory) / "up.json"
            wait_for(lambda: up.poll() is not None or started.exists(), "ringway up", READY_S)
            if up.poll() is not None:
                raise RuntimeError(f"ringway up ended: {output.read_text()}")
            if nodes:
                wait_for(system.is_ready, "a gateway that is ready")
                wait_for(lambda: _channel_nodes(system) == nodes, f"{nodes} nodes")
            yield system
        finally:
            system.stop()
