"""A whole system for a benchmark: `ringway up` in a state directory of its own, ended with the block."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RINGWAY = [sys.executable, "-m", "ringway"]


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Cluster:
    """A running system. `gateway_url` is where clients begin."""

    def __init__(self, state: Path, port: int, admin_port: int) -> None:
        self.gateway_url = f"http://127.0.0.1:{port}"
        self.admin_url = f"http://127.0.0.1:{admin_port}"
        self._environ = {**os.environ, "RINGWAY_STATE_DIR": str(state)}
        self._extra: list[subprocess.Popen[bytes]] = []

    def ringway(self, *arguments: str) -> str:
        """Run a command of the command line; return what it prints."""
        done = subprocess.run(
            [*RINGWAY, *arguments], env=self._environ, capture_output=True, text=True, timeout=60, check=False
        )
        if done.returncode:
            raise RuntimeError(f"ringway {' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start a command that keeps running, such as `node`; it is ended with the cluster."""
        process = subprocess.Popen(
            [*RINGWAY, *arguments], env=self._environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._extra.append(process)
        return process

    def nodes(self) -> list[dict[str, Any]]:
        """The nodes as the gateway's admin port lists them; the same as `ringway nodes --json`, without a process."""
        with urllib.request.urlopen(f"{self.admin_url}/v1/nodes", timeout=10) as answer:
            listed: list[dict[str, Any]] = json.load(answer)
        return listed

    def stop(self) -> None:
        """End what was started beside `up`."""
        for process in self._extra:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        for process in self._extra:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


@contextlib.contextmanager
def cluster(*, nodes: int = 2, policy: str = "two-choices", flags: tuple[str, ...] = ()) -> Iterator[Cluster]:
    """Start a system with `nodes` nodes, wait until it is ready, and end it with the block."""
    port, admin_port = free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="ringway-bench-") as state:
        running = Cluster(Path(state), port, admin_port)
        log = (Path(state) / "up.log").open("wb")
        arguments = ["up", "--nodes", str(nodes), "--port", str(port), "--admin-port", str(admin_port)]
        up = subprocess.Popen(
            [*RINGWAY, *arguments, "--policy", policy, *flags],
            env={**os.environ, "RINGWAY_STATE_DIR": state},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_ready(up, port, Path(state))
            yield running
        finally:
            running.stop()
            up.send_signal(signal.SIGINT)
            try:
                up.wait(30)
            except subprocess.TimeoutExpired:
                up.kill()
            log.close()


def _wait_ready(up: "subprocess.Popen[bytes]", port: int, state: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if up.poll() is not None:
            raise RuntimeError(f"ringway up ended: {(state / 'up.log').read_text()}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as probe:
            probe.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            if b" 200 " in probe.recv(64):
                return
        time.sleep(0.05)
    raise RuntimeError(f"ringway up was not ready in 30 s: {(state / 'up.log').read_text()}")
