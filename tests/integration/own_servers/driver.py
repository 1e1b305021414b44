"""Clients under test: many of one stack in one process, each seen through a `Driver`."""

import json
import os
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from integration.own_servers.seen import Event, Seen, see
from integration.own_servers.stack import Stack
from integration.own_servers.toolchain import APPS
from support.system import wait_for

STOP_S = 10.0
CONNECT_S = 30.0
SETTLE_S = 30.0


class Driver:
    """One client: what it has seen until now."""

    def __init__(self, clients: "Clients", number: int) -> None:
        self._clients = clients
        self.number = number
        self.events: list[Event] = []

    def seen(self, since: float = 0.0) -> Seen:
        """Sum up what it has seen from the monotonic time `since` on."""
        self._clients.read_events()
        return see(self.events, time.monotonic(), since)

    @property
    def instance(self) -> str | None:
        """The instance that it is connected to, None while it is not connected."""
        return self.seen().instance


class Clients:
    """The clients of one process. They send a message each `interval_ms` while they are connected."""

    def __init__(self, stack: Stack, url: str, count: int, interval_ms: int, log: Path) -> None:
        self.drivers = [Driver(self, number) for number in range(count)]
        self._errors = log.with_suffix(".err")
        with log.open("wb") as output, self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [*stack.client(), url, str(count), str(interval_ms)],
                stdin=subprocess.PIPE,  # its end ends the process, also if this one is killed
                stdout=output,
                stderr=errors,
                env={**_without_proxies(), "PYTHONPATH": str(APPS)},
            )
        self._output = log.open("rb")
        self._rest = b""
        self._paused = False

    def read_events(self) -> None:
        """Give each driver the events that were printed since the last call. Raise `RuntimeError` if it has ended."""
        *lines, self._rest = (self._rest + self._output.read()).split(b"\n")
        for line in lines:
            event = json.loads(line)
            if "client" in event:
                self.drivers[event["client"]].events.append(event)
            else:
                self._paused = event["event"] == "paused"
                for driver in self.drivers:
                    driver.events.append(event)
        if self._process.poll() is not None:
            raise RuntimeError(f"the clients have ended: {self._errors.read_text()[-2000:]}")

    def seen(self, since: float = 0.0) -> list[Seen]:
        """Sum up what each client has seen from the monotonic time `since` on."""
        return [driver.seen(since) for driver in self.drivers]

    def spread(self) -> Counter[str | None]:
        """Return the number of clients by instance; those that are not connected count as None."""
        return Counter(driver.instance for driver in self.drivers)

    def pause(self) -> None:
        """Send no further messages."""
        self._write("pause")

    def resume(self) -> None:
        """Send messages again."""
        self._write("resume")

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def wait_acked(self, more: int = 2, deadline_s: float = CONNECT_S) -> None:
        """Wait until each client is connected, and `more` messages that it sent from now on are acknowledged."""
        now = time.monotonic()

        def all_acked() -> bool:
            return all(seen.instance is not None and seen.acked > more for seen in self.seen(now))

        wait_for(all_acked, f"{more} acknowledgements for each client", deadline_s)

    def settle(self, deadline_s: float = SETTLE_S) -> None:
        """Pause, and wait until no client waits for an acknowledgement."""
        self.pause()

        def settled() -> bool:
            each = self.seen()
            return self._paused and all(seen.waiting == 0 for seen in each)

        wait_for(settled, "all messages to be acknowledged or lost", deadline_s)

    def stop(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._output.close()


def _without_proxies() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}


@contextmanager
def running_clients(stack: Stack, url: str, count: int, log: Path, interval_ms: int = 200) -> Iterator[Clients]:
    """Start clients of a stack, wait until messages of each are acknowledged, and end them with the block."""
    clients = Clients(stack, url, count, interval_ms, log)
    try:
        clients.wait_acked()
        yield clients
    finally:
        clients.stop()
