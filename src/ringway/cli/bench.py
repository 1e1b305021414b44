"""`ringway bench`: a quick measurement of the running system, from this machine."""

import asyncio
import secrets
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Annotated

import msgspec

from ringway.cli.command import Exit, Option
from ringway.cli.counted import counted
from ringway.cli.gateway_client import GatewayUrl, connected, gateway_urls
from ringway.cli.option import AsJson, StateDir
from ringway.cli.process import run_async
from ringway.cli.terminal import say_json
from ringway.client import Client, Publication
from ringway.errors import RingwayError

OPENING_MAX = 50
"""Clients that connect at the same time."""

LOOK_S = 0.01
LAST_S = 2.0
"""The time for the last deliveries to arrive."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """The results. A delay lasts from before the publish to the delivery, within this one process."""

    clients: int
    nodes: int
    published: int
    refused: int
    expected: int
    delivered: int
    deliveries_per_s: float
    p50_ms: float
    p99_ms: float
    worst_ms: float


def bench(
    clients: Annotated[int, Option("--clients", min=1, max=10_000, help="Number of clients that subscribe.")] = 50,
    rate: Annotated[float, Option("--rate", min=0.1, max=100_000, help="Publications a second.")] = 100.0,
    seconds: Annotated[float, Option("--seconds", min=0.1, max=3600, help="Duration of publishing.")] = 5.0,
    size: Annotated[int, Option("--size", min=0, max=60_000, help="Bytes of filling in each publication.")] = 64,
    as_json: AsJson = False,
    url: GatewayUrl = None,
    state: StateDir = None,
) -> None:
    """Measure the running system: clients that all subscribe to one channel, and a client that publishes to it.

    It shows the delay of publications to each subscriber, and whether all arrived. All clients are in one process and
    share the machine with the system: this is a first impression, not a benchmark of its capacity.
    """
    addresses = gateway_urls(url, state)
    measured = run_async(_measure(addresses, clients, rate, seconds, size, quiet=as_json))
    if as_json:
        say_json(measured)
    else:
        _show(measured)
    if measured.delivered < measured.expected:
        raise Exit(1)


async def _measure(urls: Sequence[str], count: int, rate: float, seconds: float, size: int, *, quiet: bool) -> Measured:
    from rich.console import Console
    from rich.progress import Progress

    tally = Tally(f"bench-{secrets.token_hex(4)}", "x" * size)
    with Progress(console=Console(stderr=True), transient=True, disable=quiet or not sys.stderr.isatty()) as progress:
        async with AsyncExitStack() as stack:
            opening = progress.add_task("connecting", total=count)
            crowd = await _open(stack, urls, count, lambda: progress.update(opening, advance=1))
            subscriptions = [client.subscribe(tally.channel, on_publication=tally.deliver) for client in crowd]
            for subscription in subscriptions:
                await subscription.wait_confirmed()
            total = max(1, round(rate * seconds))
            publishing = progress.add_task("publishing", total=total)
            began = time.perf_counter()
            async with asyncio.TaskGroup() as group:
                for number in range(total):
                    await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
                    group.create_task(tally.publish(crowd[number % count]))
                    progress.update(publishing, advance=1)
            took = time.perf_counter() - began
            await tally.all_delivered(count)
            return tally.summary(count, len({client.node for client in crowd}), took)


async def _open(stack: AsyncExitStack, urls: Sequence[str], count: int, opened: Callable[[], None]) -> list[Client]:
    room = asyncio.Semaphore(OPENING_MAX)

    async def one() -> Client:
        async with room:
            client = await stack.enter_async_context(connected(urls))
            opened()
            return client

    return list(await asyncio.gather(*(one() for _ in range(count))))


class Tally:
    """Publishes, and counts deliveries and their delays."""

    def __init__(self, channel: str, filling: str) -> None:
        self.channel = channel
        self._filling = filling
        self._published = 0
        self._refused = 0
        self._delays: list[float] = []

    async def publish(self, client: Client) -> None:
        """Publish once; the data carries the time."""
        try:
            await client.publish(self.channel, {"at": time.perf_counter(), "filling": self._filling})
        except (RingwayError, TimeoutError):
            self._refused += 1
        else:
            self._published += 1

    def deliver(self, publication: Publication) -> None:
        """Count one delivery."""
        self._delays.append(time.perf_counter() - publication.data["at"])

    async def all_delivered(self, subscribers: int) -> None:
        """Return when every subscriber has every publication, or after `LAST_S`."""
        end = time.perf_counter() + LAST_S
        for _ in range(round(LAST_S / LOOK_S)):
            if len(self._delays) >= self._published * subscribers or time.perf_counter() > end:
                return
            await asyncio.sleep(LOOK_S)

    def summary(self, clients: int, nodes: int, took: float) -> Measured:
        """Return the results."""
        ordered = sorted(self._delays) or [0.0]

        def at(share: float) -> float:
            return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3)

        return Measured(
            clients=clients,
            nodes=nodes,
            published=self._published,
            refused=self._refused,
            expected=self._published * clients,
            delivered=len(self._delays),
            deliveries_per_s=round(len(self._delays) / took, 1),
            p50_ms=at(0.5),
            p99_ms=at(0.99),
            worst_ms=at(1.0),
        )


def _show(measured: Measured) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_row("clients", f"{measured.clients:,} on {counted(measured.nodes, 'node')}")
    table.add_row("published", f"{measured.published:,}, {measured.refused:,} refused")
    pace = f"{measured.deliveries_per_s:,.0f} a second"
    table.add_row("delivered", f"{measured.delivered:,} of {measured.expected:,}, {pace}")
    table.add_row("delay", f"p50 {measured.p50_ms:g} ms, p99 {measured.p99_ms:g} ms, worst {measured.worst_ms:g} ms")
    Console(highlight=False).print(table)
