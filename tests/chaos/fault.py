"""Faults of a system, made on purpose: in processes that the system's own `ringway up` started, each by its id."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

from support.system import System, wait_for

BACK_S = 60.0


class Faults:
    """Injects faults into a system and records them, in seconds since its start."""

    def __init__(self, system: System, rng: Random) -> None:
        self.rng = rng
        self.log: list[tuple[float, str]] = []
        self._system = system
        self._began = time.monotonic()

    def note(self, what: str) -> None:
        """Record an event with its time."""
        self.log.append((round(time.monotonic() - self._began, 2), what))

    def nodes(self) -> dict[str, dict[str, Any]]:
        """The nodes as the gateway sees them; empty if it does not answer."""
        try:
            return self._system.nodes()
        except OSError:
            return {}

    def some_node(self) -> str:
        """The name of a random node among the nodes with at least half of their fair share of all connections."""
        nodes = wait_for(self.nodes, "nodes", BACK_S)
        fair = sum(node["connections"] for node in nodes.values()) / len(nodes)
        return self.rng.choice(sorted(name for name, node in nodes.items() if node["connections"] >= fair / 2))

    def kill(self, name: str) -> None:
        """Kill a member, or the engine ("nats"), as a power cut would."""
        self.note(f"kill {name}")
        self._system.kill(name)

    def stop(self, name: str) -> None:
        """Stop a member in order."""
        self.note(f"stop {name}")
        self._system.kill(name, signal.SIGTERM)

    @contextmanager
    def paused(self, name: str) -> Iterator[None]:
        """Suspend a member for the time of the block."""
        self.note(f"pause {name}")
        pid = self._system.kill(name, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)
            self.note(f"continue {name}")

    def engine_away(self, seconds: float) -> None:
        """Kill the engine; let it be started again after a while. The supervisor is suspended meanwhile."""
        up = self._system.up
        assert up is not None
        up.send_signal(signal.SIGSTOP)
        try:
            self.kill("nats")
            time.sleep(seconds)
        finally:
            up.send_signal(signal.SIGCONT)
        self.note(f"the engine may be back after {seconds:g} s")

    def incarnation(self, name: str) -> str:
        """The incarnation of a node; empty while it is not there."""
        return str(self.nodes().get(name, {}).get("incarnation", ""))

    def wait_reborn(self, name: str, before: str) -> None:
        """Return when `name` is there again, in a different incarnation than `before`, and accepts clients."""

        def reborn() -> bool:
            node = self.nodes().get(name, {})
            return bool(node) and node["incarnation"] != before and node["state"] == "active"

        wait_for(reborn, f"{name} to be there again", BACK_S)
