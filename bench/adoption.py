"""Longest turn of a gateway's event loop while many backends come and go: those of a file, and those that register.

One gateway without an engine. All backends have one address, and differ by their paths: a socket here accepts their
checks, and closes them. So the cost is that of the gateway alone: the source, the book, reports, groups, checks.

- *come*: a file gets that many further entries, or that many servers register one after the other;
- *calm*: they are there, and carry nothing;
- *go*: the file loses them again, or they leave.

Turns are measured in processor time, in steps of 2 ms (`control_process.py`).

    scripts/bench adoption [--backends 1000,3000] [--sources file,registration]
    scripts/bench adoption --profile --backends 3000 --sources file
"""

import http.client
import json
import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from control import Peer
from report import Claim, Result, parser, publish
from support.system import free_port

BACKENDS = (100, 1000, 3000)
SOURCES = ("file", "registration")
TURN_MS = 20.0
COME_S = 120.0
"""The time for all backends to be checked."""

SETTLE_S = 3.0
CALM_S = 10.0
GONE_S = 12.0
"""The time in which all backends that left are forgotten: they are claimed until they were empty for a while."""


class Checked:
    """The address of all backends: a socket that accepts checks, and counts them."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", free_port()), backlog=4096)
        self.port = self._socket.getsockname()[1]
        self.checks = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                self._socket.accept()[0].close()
                self.checks += 1

    def wait(self, checks: int) -> None:
        """Return when so many checks were accepted."""
        deadline = time.monotonic() + COME_S
        while self.checks < checks:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.checks} of {checks} backends were checked")
            time.sleep(0.05)

    def url(self, number: int) -> str:
        """The URL of a backend."""
        return f"ws://127.0.0.1:{self.port}/{number}"


class Trial:
    """One gateway, whose backends come from one source."""

    def __init__(self, source: str, directory: Path) -> None:
        self._source = source
        self._checked = Checked()
        self._file = directory / "backends.json"
        self._registration_port = free_port()
        self._write(1)
        options = ["--port", f"{free_port()}", "--no-admin-enabled", "--health-interval-s", "300"]
        if source == "file":
            options += ["--backends", str(self._file)]
        else:
            options += ["--backend", self._checked.url(0), "--registration-port", f"{self._registration_port}"]
            options += ["--registration-registrations-max", "100000", "--registration-ttl-s", "300"]
        self.gateway = Peer(directory / "gateway.log", "control_process.py", "gateway", *options)
        self._checked.wait(1)
        time.sleep(SETTLE_S)

    def come(self, count: int) -> None:
        """Have so many backends come, and wait until all were checked."""
        before = self._checked.checks
        if self._source == "file":
            self._write(1 + count)
        else:
            self._ask("PUT", count)
        self._checked.wait(before + count)
        time.sleep(SETTLE_S)

    def go(self, count: int) -> None:
        """Have them go, and wait until they are forgotten."""
        if self._source == "file":
            self._write(1)
        else:
            self._ask("DELETE", count)
        time.sleep(GONE_S)

    def end(self) -> None:
        """End the gateway."""
        self.gateway.end()

    def _write(self, count: int) -> None:
        entries = [{"name": f"b{number}", "url": self._checked.url(number)} for number in range(count)]
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps({"backends": entries}))
        os.replace(new, self._file)

    def _ask(self, method: str, count: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._registration_port)
        for number in range(1, 1 + count):
            body = json.dumps({"url": self._checked.url(number)}) if method == "PUT" else ""
            connection.request(method, f"/v1/backends/r{number}", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            if answer.status >= 300:
                raise RuntimeError(f"{method} of backend {number} was answered {answer.status}")
        connection.close()


@contextmanager
def trial_of(source: str) -> Iterator[Trial]:
    """Run a gateway."""
    with tempfile.TemporaryDirectory() as directory:
        trial = Trial(source, Path(directory))
        try:
            yield trial
        finally:
            trial.end()


def profile(source: str, count: int) -> str:
    """Return where the time goes while backends come, are there, and go."""
    said = []
    with trial_of(source) as trial:
        for phase in ("come", "calm", "go"):
            trial.gateway.ask("profile")
            time.sleep(CALM_S) if phase == "calm" else getattr(trial, phase)(count)
            profiled = trial.gateway.ask("profiled")
            longest = f"longest turn {profiled['turn_ms']:.1f} ms, collection {profiled['collection_ms']:.1f} ms"
            said.append(f"{source}, {count} backends, {phase}: {longest}\n{profiled['profile']}")
    return "\n\n".join(said)


def main() -> None:
    """Run the benchmark."""
    flags = parser("The longest turn of a gateway's event loop while many backends come and go.")
    flags.add_argument("--backends", default=",".join(map(str, BACKENDS)), help="numbers of backends")
    flags.add_argument("--sources", default=",".join(SOURCES), help="sources: file, registration")
    flags.add_argument("--profile", action="store_true", help="print where the time of the gateway goes instead")
    given = flags.parse_args()
    counts = [100] if given.quick else [int(word) for word in given.backends.split(",")]
    result = Result(
        "adoption: turns of a gateway's loop while backends come and go",
        ["", "backends", "phase", "turn ms", "late ms", "seconds", "CPU %"],
    )
    for source in given.sources.split(","):
        for count in counts:
            if given.profile:
                print(profile(source, count))
                continue
            with trial_of(source) as trial:
                for phase in ("come", "calm", "go"):
                    trial.gateway.ask("watch")
                    used, began = trial.gateway.cpu_s(), time.monotonic()
                    time.sleep(CALM_S) if phase == "calm" else getattr(trial, phase)(count)
                    lasted = time.monotonic() - began
                    cpu = 100 * (trial.gateway.cpu_s() - used) / lasted
                    turns = trial.gateway.ask("watched")
                    result.rows.append([source, count, phase, turns["turn_ms"], turns["late_ms"], lasted, cpu])
                    what = f"{source}, {count} backends {phase}: longest turn, ms"
                    result.claims.append(Claim(what, turns["turn_ms"], at_most=TURN_MS))
    if not given.profile:
        publish(result, given.json)


if __name__ == "__main__":
    main()
