"""Delay of a publication from a client of one node to a client of a second node.

One process holds both clients, so one clock reads both ends; the two nodes, the engine and the gateway are processes of
their own. The whole way is measured: client, node, engine, node, client, which is four hops between processes. Beside
it, in the same run: an echo through a bare TCP socket, which is just two hops.

    scripts/bench latency [--rate 1000] [--seconds 20] [--engines nats,redis-memory]
"""

import asyncio
import time

import uvloop
from rich.progress import Progress

import ringway
from report import Claim, Result, parser, percentile, publish
from support.fleet import running_fleet
from support.system import running_system
from tcp_echo import echo


async def client_on(url: str, node: str) -> ringway.Client:
    """A client that is connected to `node`, directly."""
    client = ringway.Client(url)
    await client.open()
    if client.node != node:
        raise RuntimeError(f"{url} is {client.node}, not {node}")
    return client


async def measure(urls: dict[str, str], rate: float, seconds: float) -> list[float]:
    """Publish on one node at `rate`, and return the sorted delays in ms at a subscriber of the second node."""
    names = sorted(urls)
    publisher, subscriber = [await client_on(urls[name], name) for name in names[:2]]
    delays: list[float] = []
    subscription = subscriber.subscribe(
        "bench", on_publication=lambda publication: delays.append(time.perf_counter() - publication.data["at"])
    )
    await subscription.wait_confirmed()
    total = int(rate * seconds)
    payload = "x" * 100
    pending: set[asyncio.Task[None]] = set()
    with Progress(transient=True) as progress:
        bar = progress.add_task("publishing", total=total)
        began = time.perf_counter()
        for number in range(total):
            pause = began + number / rate - time.perf_counter()
            if pause > 0:
                await asyncio.sleep(pause)
            task = asyncio.create_task(publisher.publish("bench", {"at": time.perf_counter(), "pad": payload}))
            pending.add(task)
            task.add_done_callback(pending.discard)
            if number % 100 == 0:
                progress.update(bar, completed=number)
    await asyncio.gather(*pending)
    deadline = time.perf_counter() + 5
    while len(delays) < total and time.perf_counter() < deadline:
        await asyncio.sleep(0.01)
    if len(delays) != total:
        raise RuntimeError(f"{total - len(delays)} of {total} publications did not arrive")
    await publisher.close()
    await subscriber.close()
    warm = delays[len(delays) // 10 :]  # the first tenth warms caches and connections
    return sorted(delay * 1e3 for delay in warm)


def main() -> None:
    """Run the benchmark."""
    flags = parser("Delay from a client of one node to a client of another.")
    flags.add_argument("--rate", type=float, default=1000, help="publications a second")
    flags.add_argument("--seconds", type=float, default=20, help="how long to publish")
    flags.add_argument("--engines", default="nats,redis-memory", help="the engines, by the names of `tests/chaos`")
    arguments = flags.parse_args()
    seconds = 3 if arguments.quick else arguments.seconds
    delays = {}
    for engine in arguments.engines.split(","):
        with running_fleet(engine) as fleet, running_system(nodes=2, fleet=fleet) as system:
            urls = {name: node["url"] for name, node in system.nodes().items()}
            delays[engine] = uvloop.run(measure(urls, arguments.rate, seconds))
    bare = uvloop.run(echo(500 if arguments.quick else 3000))
    columns = ["way", "messages", "p50 ms", "p99 ms", "max ms"]
    result = Result("latency: publish on one node, delivered on another", columns)
    ways = {f"node to node, {engine}": values for engine, values in delays.items()}
    for name, values in (ways | {"bare TCP echo": bare}).items():
        row = [percentile(values, 0.5), percentile(values, 0.99), values[-1]]
        result.rows.append([name, len(values), *(f"{value:.3f}" for value in row)])
    for name, values in ways.items():
        result.claims += [
            Claim(f"{name}: p50 ms", percentile(values, 0.5), at_most=0.5),
            Claim(f"{name}: p99 ms", percentile(values, 0.99), at_most=3.0),
        ]
    result.settings = {"rate": arguments.rate, "seconds": seconds, "payload_bytes": 100}
    publish(result, arguments.json)


if __name__ == "__main__":
    main()
