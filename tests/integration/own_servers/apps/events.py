"""What a program with clients prints and obeys: `run(start)` makes `python client.py URL COUNT INTERVAL_MS` of it.

It prints JSON lines with the time (seconds of the monotonic clock), the client's number and an event, obeys the lines
`pause` and `resume`, and ends with its standard input. The events are described in ../driver.py.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable

Send = Callable[[int], Awaitable[str]]
"""Sends a numbered message; returns the name of the instance that acknowledged it."""


def print_event(**fields: object) -> None:
    """Print one event with its time."""
    print(json.dumps({"at": time.monotonic(), **fields}), flush=True)  # noqa: T201


class Reporter:
    """One client: prints its events, and sends a numbered message each interval while it is connected."""

    paused = False

    def __init__(self, client: int) -> None:
        self._client = client
        self.connected = False

    def print(self, event: str, **more: object) -> None:
        """Print one event."""
        print_event(client=self._client, event=event, **more)

    def now_connected(self, instance: str) -> None:
        """Say that the server has said its name."""
        self.print("greeted" if self.connected else "connected", instance=instance)
        self.connected = True

    def now_disconnected(self, **why: object) -> None:
        """Say that the client has noticed that it is not connected any more."""
        self.connected = False
        self.print("disconnected", **why)

    async def send_each(self, interval_s: float, send: Send) -> None:
        """Send messages for ever."""
        async with asyncio.TaskGroup() as tasks:
            n = 0
            while True:
                await asyncio.sleep(interval_s)
                if self.connected and not Reporter.paused:
                    n += 1
                    self.print("sent", n=n)
                    tasks.create_task(self._send(n, send))

    async def _send(self, n: int, send: Send) -> None:
        try:
            self.print("acked", n=n, instance=await send(n))
        except Exception as error:
            self.print("lost", n=n, why=str(error) or type(error).__name__)


Start = Callable[[str, Reporter], Awaitable[Send]]
"""Connects a client to a URL, and keeps it connected; returns at once."""


async def _run(start: Start) -> None:
    url, count, interval_s = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) / 1000
    sending = []
    for number in range(count):
        reporter = Reporter(number)
        send = await start(url, reporter)
        sending.append(asyncio.create_task(reporter.send_each(interval_s, send)))
        await asyncio.sleep(interval_s / count)  # so that they do not send all at once
    while line := await asyncio.to_thread(sys.stdin.readline):
        Reporter.paused = line == "pause\n"
        print_event(event="paused" if Reporter.paused else "resumed")


def run(start: Start) -> None:
    """Run the clients that the command line asks for."""
    asyncio.run(_run(start))
