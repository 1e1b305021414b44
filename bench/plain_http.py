"""Cost of plain HTTP through a gateway: CPU a request of 1 KiB and of 16 KiB both ways, beside HAProxy and nginx.

One backend and one load generator run on one core, each proxy on a second core, with connections that are kept on both
sides. All proxies run at the same time and take turns, a short round each; the table shows medians of the rounds, and
of each round's ratio to HAProxy's.

    scripts/bench plain_http [--connections 32] [--rounds 15]
"""

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from relay import Running, ask, cores
from relay_systems import HERE, PYTHON, SYSTEMS, System, find, start, stop, wait_listening
from report import Claim, Result, parser, publish
from support.system import free_port

PEERS = str(HERE / "plain_http_peers.py")
PAYLOADS = (1024, 16 * 1024)
REFERENCE = "haproxy"
AT_MOST = 3.0


def ringway(directory: Path, port: int, backend_port: int) -> list[str]:
    """The command of a gateway that carries plain HTTP."""
    command = next(system for system in SYSTEMS if system.name == "ringway").command(directory, port, backend_port)
    return [*command, "--route", "path=/ http=true", "--address-share", "1"]


def nginx(directory: Path, port: int, backend_port: int) -> list[str]:
    """The command of nginx, which keeps connections to the backend."""
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
  keepalive_requests 1000000000;
  client_body_buffer_size 64k;
  upstream back {{ server 127.0.0.1:{backend_port}; keepalive 256; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://back;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }}
  }}
}}
"""
    )
    return [find("nginx") or "nginx", "-c", str(config)]


def peer(role: str, core: int, directory: Path, *numbers: int) -> "subprocess.Popen[str]":
    """Start one end, and wait until it is ready."""
    log = directory / f"{role}.log"
    process = start([PYTHON, PEERS, role, *map(str, numbers)], core, log, answers=True)
    assert process.stdout is not None
    if not process.stdout.readline():
        raise RuntimeError(f"{role} {numbers}: {log.read_text()[-500:]}")
    return process


def measure(payload: int, connections: int, rounds: int, seconds: float, result: Result) -> None:
    """Let the proxies take turns with bodies of `payload` bytes, and add their rows."""
    commands = {system.name: system for system in SYSTEMS}
    haproxy = commands["haproxy"]
    systems = [System("ringway", ringway), haproxy, System("nginx", nginx, "nginx", "apt-get install nginx-light")]
    ends, proxies = cores()
    with tempfile.TemporaryDirectory(prefix="ringway-bench-") as name:
        directory = Path(name)
        back_port = free_port()
        started = [peer("backend", ends, directory, back_port, payload)]
        running: list[Running] = []
        try:
            for system in systems:
                if system.missing:
                    sys.stderr.write(system.missing + "\n")
                    continue
                port, log = free_port(), directory / f"{system.name}.log"
                proxy = start(system.command(directory, port, back_port), proxies, log)
                started.append(proxy)
                wait_listening(proxy, port, log)
                load = peer("load", ends, directory, port, connections, payload)
                started.append(load)
                ask(load, "run 0.5")
                running.append(Running(system.name, proxy.pid, load, 0.0))
            for turn in range(rounds):
                for one in running if turn % 2 else running[::-1]:
                    one.round(seconds)
        finally:
            stop(*reversed(started))
    reference = next((one for one in running if one.name == REFERENCE), None)
    for one in running:
        ratio = float("nan")
        if reference is not None:
            ratio = statistics.median(a / b for a, b in zip(one.cost_us, reference.cost_us, strict=True))
        cost = statistics.median(one.cost_us)
        result.rows.append([one.name, payload, cost, one.user / rounds * cost, ratio, statistics.median(one.per_s)])
        if one.name == "ringway" and reference is not None:
            what = f"CPU a request of {payload} bytes both ways ÷ HAProxy's"
            result.claims.append(Claim(what, ratio, at_most=AT_MOST))


def main() -> int:
    flags = parser("CPU a plain HTTP request through one proxy on one core")
    flags.add_argument("--connections", type=int, default=32, help="requests at a time")
    flags.add_argument("--rounds", type=int, default=15, help="rounds of each system")
    flags.add_argument("--seconds", type=float, default=0.6, help="length of a round")
    chosen = flags.parse_args()
    if chosen.quick:
        chosen.rounds, chosen.seconds = 3, 0.3
    columns = ["proxy", "bytes both ways", "µs CPU a request", "of it user", "÷ HAProxy", "requests/s"]
    settings = {"rounds": chosen.rounds, "seconds": chosen.seconds, "connections": chosen.connections}
    title = "Plain HTTP: requests over kept connections through one proxy on one core"
    result = Result(title, columns, settings=settings)
    for payload in PAYLOADS:
        measure(payload, chosen.connections, chosen.rounds, chosen.seconds, result)
    publish(result, chosen.json)
    return 0 if all(claim.held for claim in result.claims) else 1


if __name__ == "__main__":
    sys.exit(main())
