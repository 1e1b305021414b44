"""One server of a stack as a process: started by the tests, or by `ringway join`, which makes it a backend."""

import os
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from integration.own_servers.stack import Stack
from support.server_process import ServerProcess
from support.system import RINGWAY, free_port, wait_for

START_S = 60.0
LEAVE_S = 60.0
"""The time in which `ringway join` leads its clients away and ends."""


class Instance:
    """One server of a stack. `url` is what a gateway is given for it."""

    def __init__(self, stack: Stack, name: str, folder: Path, port: int = 0) -> None:
        self.stack = stack
        self.name = name
        self.port = port or free_port()
        self.url = f"ws://127.0.0.1:{self.port}"
        self.process = ServerProcess(folder / f"{name}.log")

    def start(self) -> None:
        """Start it, and do not wait."""
        self.process.launch(self.command(), self.environ())

    def command(self) -> list[str]:
        """Return the command that starts the server."""
        return [*self.stack.server(str(self.port))]

    def environ(self) -> dict[str, str]:
        """Return the environment of the server."""
        return {**os.environ, **self.stack.environ(self.name, str(self.port))}

    def wait_ready(self) -> None:
        """Wait until it listens. Raise `RuntimeError` with its words if it has ended."""

        def listens() -> bool:
            if not self.process.running:
                raise RuntimeError(f"{self.stack.name} has ended: {self.process.last_words()}")
            with socket.create_connection(("127.0.0.1", self.port), 1):
                return True

        wait_for(listens, f"{self.stack.name} {self.name} to listen", START_S)

    def kill(self) -> None:
        """Kill it with all its processes, as `kill -9` does."""
        self.process.kill_all()

    def stop(self) -> None:
        """Let it end in order, by SIGTERM."""
        self.process.end(signal.SIGTERM)

    def end(self) -> None:
        """Kill everything that belongs to it."""
        self.process.kill_all()


class JoinedInstance(Instance):
    """A server that `ringway join` starts, and makes a backend of the system that runs from the folder `state`."""

    def __init__(self, stack: Stack, name: str, state: Path, on_move: str) -> None:
        super().__init__(stack, name, state)
        self._state = state
        self._on_move = on_move

    def command(self) -> list[str]:
        """Return the command of the sidecar."""
        options = ["--name", self.name, "--on-move", self._on_move]
        return [*RINGWAY, "join", self.url, *options, "--", *self.stack.server(str(self.port))]

    def environ(self) -> dict[str, str]:
        """Return the environment of the sidecar, which is the server's, too."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("RINGWAY_")}
        server = self.stack.environ(self.name, str(self.port))
        paths = os.pathsep.join((server["PYTHONPATH"], os.environ.get("PYTHONPATH", "")))
        return {**clean, **server, "PYTHONPATH": paths, "RINGWAY_STATE_DIR": str(self._state)}

    def kill(self) -> None:
        """Kill the server, as `kill -9` does, and wait until the sidecar has told that and ended."""
        for pid in list(descendants(self.process.pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not self.process.running, f"the sidecar of {self.name} to end", LEAVE_S)

    def leave(self) -> None:
        """Send SIGTERM to the sidecar: it leads its clients away, and ends with its server. Does not wait."""
        os.kill(self.process.pid, signal.SIGTERM)

    def wait_left(self) -> None:
        """Wait until the sidecar has ended."""
        wait_for(lambda: not self.process.running, f"the sidecar of {self.name} to end", LEAVE_S)


def descendants(pid: int) -> Iterator[int]:
    """Return the processes that the process `pid` has started, and those that these have started."""
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield int(child)
                yield from descendants(int(child))


def environ_of(pid: int) -> Mapping[str, str]:
    """Return the environment with which the process `pid` was started; empty if it is gone."""
    with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
        pairs = Path(f"/proc/{pid}/environ").read_text().split("\0")
        return dict(pair.split("=", 1) for pair in pairs if "=" in pair)
    return {}
