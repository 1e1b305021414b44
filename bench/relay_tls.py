"""Cost of TLS at the public port: CPU of a relayed round trip, and of a handshake, beside HAProxy's and nginx's.

As in `relay`, backend and load run on one core, each proxy on a second core, and the proxies take turns. All have the
same certificate (P-256). A handshake is a new connection with TLS 1.3, without resumption, that is closed again.

    scripts/bench relay_tls [--payloads 64 16384] [--connections 100] [--rounds 15]
"""

import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from relay import REFERENCE, Bench, Running, cores
from relay_systems import PYTHON, SYSTEMS, Command, System
from report import Claim, Result, parser, publish

RATIO_MAX = 1.5


def make_certificate(directory: Path) -> None:
    """Write a certificate for 127.0.0.1, its key, and both in one file for HAProxy."""
    cert, key = directory / "cert.pem", directory / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )  # fmt: skip
    (directory / "both.pem").write_text(cert.read_text() + key.read_text())


def with_tls(system: System) -> System:
    """Return `system` with TLS before it."""
    plain = system.command

    def ringway(directory: Path, port: int, backend_port: int) -> list[str]:
        files = ["--tls-cert", str(directory / "cert.pem"), "--tls-key", str(directory / "key.pem")]
        return [PYTHON, *plain(directory, port, backend_port)[1:], *files]

    def haproxy(directory: Path, port: int, backend_port: int) -> list[str]:
        command = plain(directory, port, backend_port)
        _edit(directory / "haproxy.cfg", "backlog 4096", f"ssl crt {directory}/both.pem alpn http/1.1 backlog 4096")
        return command

    def nginx(directory: Path, port: int, backend_port: int) -> list[str]:
        command = plain(directory, port, backend_port)
        files = f"ssl_certificate {directory}/cert.pem; ssl_certificate_key {directory}/key.pem;"
        _edit(directory / "nginx.conf", "backlog=4096;", f"ssl backlog=4096; {files}")
        return command

    commands: dict[str, Command] = {"ringway": ringway, "haproxy": haproxy, "nginx": nginx}
    return replace(system, command=commands[system.name])


def _edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def compare(what: str, running: list[Running], rounds: int, seconds: float, result: Result) -> None:
    """Let `running` take turns, and add their rows and the claim."""
    for turn in range(rounds):
        for one in running if turn % 2 else running[::-1]:
            one.round(seconds)
    reference = next(one for one in running if one.name == REFERENCE)
    for one in running:
        ratio = statistics.median(a / b for a, b in zip(one.cost_us, reference.cost_us, strict=True))
        result.rows.append([one.name, what, statistics.median(one.cost_us), ratio, statistics.median(one.per_s)])
        if one.name == "ringway":
            result.claims.append(Claim(f"CPU of a {what} over TLS ÷ HAProxy's", ratio, at_most=RATIO_MAX))


def main() -> int:
    flags = parser("CPU of round trips and handshakes over TLS, of WebSocket proxies")
    flags.add_argument("--payloads", type=int, nargs="+", default=[64, 16384], help="bytes of a message")
    flags.add_argument("--connections", type=int, default=100, help="round trips at a time")
    flags.add_argument("--rounds", type=int, default=15, help="rounds of each system")
    flags.add_argument("--seconds", type=float, default=0.6, help="length of a round")
    chosen = flags.parse_args()
    if chosen.quick:
        chosen.rounds, chosen.seconds = 3, 0.3
    systems = [with_tls(each) for each in SYSTEMS if each.name in ("ringway", "haproxy", "nginx") and not each.missing]
    settings = {"rounds": chosen.rounds, "seconds": chosen.seconds, "connections": chosen.connections}
    columns = ["proxy", "what", "µs CPU each", "÷ HAProxy", "a second"]
    result = Result("Relay over TLS: one proxy on one core", columns, settings=settings)
    with tempfile.TemporaryDirectory(prefix="ringway-bench-") as directory:
        make_certificate(Path(directory))
        for payload in chosen.payloads:
            with Bench(Path(directory), cores(), payload) as bench:
                running = [bench.open(system, chosen.connections, "tls_load") for system in systems]
                compare(f"round trip of {payload} bytes", running, chosen.rounds, chosen.seconds, result)
        with Bench(Path(directory), cores()) as bench:
            running = [bench.open(system, 20, "handshakes") for system in systems]
            compare("handshake", running, chosen.rounds, chosen.seconds, result)
    publish(result, chosen.json)
    return 0 if all(claim.held for claim in result.claims) else 1


if __name__ == "__main__":
    sys.exit(main())
