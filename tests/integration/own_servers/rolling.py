"""`ringway roll` over servers of a stack: each is ended and started again by a command, as by a service manager."""

import json
import os
import shlex
import signal
import sys
from contextlib import suppress
from pathlib import Path

from integration.own_servers.running import OwnServers

ROLL_S = 240.0

RESTART = """
import contextlib, json, os, signal, subprocess, sys, time
book = json.load(open(sys.argv[1]))
server = book[sys.argv[2]]
with contextlib.suppress(ProcessLookupError):
    os.kill(server["pid"], signal.SIGTERM)
def runs(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
while runs(server["pid"]):
    time.sleep(0.02)
with open(server["log"], "ab") as log:
    again = subprocess.Popen(server["command"], env=server["environ"], stdout=log, stderr=log,
                             stdin=subprocess.DEVNULL, start_new_session=True)
server["again"] = again.pid
json.dump(book, open(sys.argv[1], "w"))
"""
"""Ends a server, or the `ringway join` beside it, waits for its end, and starts it again without waiting for more."""

AGAIN = "-again"
"""The end of the name that a restarted server tells its clients."""


class Roll:
    """A roll of all instances of `servers`. Instances that were restarted end with the block."""

    def __init__(self, servers: OwnServers, folder: Path) -> None:
        self._servers = servers
        self._book = folder / "servers.json"
        self._script = folder / "restart.py"

    def __enter__(self) -> "Roll":
        self._script.write_text(RESTART)
        self._book.write_text(
            json.dumps(
                {
                    name: {
                        "pid": each.process.pid,
                        "command": each.command(),
                        "environ": {**each.environ(), "INSTANCE": name + AGAIN},
                        "log": str(self._book.with_name(f"{name}-again.log")),
                    }
                    for name, each in self._servers.instances.items()
                }
            )
        )
        return self

    def __exit__(self, *exc: object) -> None:
        for each in json.loads(self._book.read_text()).values():
            with suppress(KeyError, ProcessLookupError):
                os.killpg(each["again"], signal.SIGKILL)

    def run(self, *options: str) -> str:
        """Restart all, one after the other; return what `ringway roll` prints."""
        command = shlex.join([sys.executable, str(self._script), str(self._book), "{node}"])
        return self._servers.gateway.ringway("roll", "--command", command, *options, deadline_s=ROLL_S)


def ordered_per_s(servers: OwnServers) -> list[int]:
    """Return the moves that the leading balancer has ordered, in each second in which there were any."""
    lines = servers.gateway.log.read_text().splitlines()
    said = (json.loads(line) for line in lines if line.startswith("{"))
    return [event["moves"] for event in said if event.get("event") == "ordering moves"]
