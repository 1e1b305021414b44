"""Rate and latency of the outbox: rows a second from a full table, and the time from INSERT to the engine's answer.

One node in this process, on one NATS server and one PostgreSQL (`fsync=off`). The references are in the same run:

- *database alone*: the same transactions, and nothing is published: what locks, reads and deletes cost;
- *INSERT and DELETE*: for a latency, one row written and deleted by one connection, without an outbox.

    scripts/bench outbox [--rows 10000] [--rate 200] [--seconds 10]
"""

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import asyncpg
import uvloop

from integration.outbox.kit import MAKE, Outbox, calls_of, until
from report import Claim, Result, parser, percentile, publish
from ringway.core.outbox import DONE, OutboxRow, RowEnd, RowOutcome
from ringway.engine.nats.embedded import EmbeddedNats
from ringway.engine.nats.opening import open_nats
from ringway.node.config.node import NodeConfig
from ringway.node.server import ChannelNode
from ringway.protocol.keyring import Keyring
from ringway.types import Incarnation, NodeName
from support.postgres_server import PostgresServer

SPACES = ("default:history_size=0", "kept:history_size=100")
DATA = "x" * 100
P99_MS_MAX = 50.0

Carry = Callable[[OutboxRow], Awaitable[RowOutcome]]


async def nothing(row: OutboxRow) -> RowOutcome:
    """Publish nothing: the reference."""
    return DONE


@asynccontextmanager
async def node_on(url: str) -> AsyncIterator[ChannelNode]:
    engine = await open_nats(url, name="bench")
    config = NodeConfig(insecure=True, namespaces=SPACES)
    node = ChannelNode(config, NodeName("n1"), Incarnation("00000001"), engine, Keyring(b"s" * 32), rng=Random(1))
    await node.start()
    try:
        yield node
    finally:
        await node.stop()
        await engine.close()


async def rate(outbox: Outbox, carry: Carry, rows: int, channels: int, space: str, partitions: int) -> float:
    """Return the rows a second of a table that is full at the start."""
    bodies = [
        (json.dumps({"channel": f"{space}e{number % channels}", "data": DATA}), number % partitions)
        for number in range(rows)
    ]
    await outbox.writer.execute("ALTER TABLE outbox DISABLE TRIGGER outbox_notify")
    await outbox.writer.executemany(
        "INSERT INTO outbox (method, payload, partition) VALUES ('publish', $1, $2)", bodies
    )
    await outbox.writer.execute("ALTER TABLE outbox ENABLE TRIGGER outbox_notify")
    async with outbox.read_by(carry, num_partitions=partitions) as consumer:
        begun = time.perf_counter()
        await until(lambda: consumer.stats.rows[RowEnd.DONE] == rows)
        return rows / (time.perf_counter() - begun)


async def latency(outbox: Outbox, carry: Carry, per_s: float, seconds: float, channel: str) -> list[float]:
    """Return the time from the begin of each INSERT until its row was carried out, in ms."""
    begun: dict[int, float] = {}
    took: list[float] = []

    async def timed(row: OutboxRow) -> RowOutcome:
        outcome = await carry(row)
        took.append(1000 * (time.perf_counter() - begun[json.loads(row.payload)["data"]]))
        return outcome

    async with outbox.read_by(timed, partition_notification_channel=channel) as consumer:
        await until(lambda: consumer.stats.database_up == 1)
        first = time.perf_counter()
        count = int(per_s * seconds)
        for number in range(count):
            await asyncio.sleep(max(0.0, first + number / per_s - time.perf_counter()))
            begun[number] = time.perf_counter()
            await outbox.publish(f"e{number % 100}", number)
        await until(lambda: len(took) == count)
    return sorted(took)


async def write_and_delete(outbox: Outbox, count: int) -> list[float]:
    """Return the time of one INSERT and one DELETE of its row, in ms."""
    took = []
    for _ in range(count):
        begun = time.perf_counter()
        made = await outbox.publish("e", 1)
        await outbox.writer.execute("DELETE FROM outbox WHERE id = $1", made)
        took.append(1000 * (time.perf_counter() - begun))
    return sorted(took)


async def measure(rows: int, per_s: float, seconds: float) -> Result:
    result = Result("Outbox, one node on NATS and PostgreSQL", ("what", "by", "rows/s", "p50 ms", "p99 ms"))
    result.settings = {"rows": rows, "rate": per_s, "seconds": seconds}
    postgres = PostgresServer()
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedNats(Path(folder))
        await server.start()
        try:
            postgres.start()
            writer = await asyncpg.connect(postgres.dsn())
            await writer.execute(MAKE)
            outbox = Outbox(postgres.dsn(), writer)
            async with node_on(server.url) as node:
                carry = calls_of(node).carry_out
                tables: tuple[tuple[str, str, Carry, int, str, int], ...] = (
                    ("1 partition", "database alone", nothing, 100, "", 1),
                    ("1 partition, 100 channels", "outbox", carry, 100, "", 1),
                    ("1 partition, 1 channel", "outbox", carry, 1, "", 1),
                    ("1 partition, 100 channels, history", "outbox", carry, 100, "kept:", 1),
                    ("1 partition, 1 channel, history", "outbox", carry, 1, "kept:", 1),
                    ("4 partitions, 100 channels", "outbox", carry, 100, "", 4),
                )
                for what, by, how, channels, space, partitions in tables:
                    found = await rate(outbox, how, rows, channels, space, partitions)
                    result.rows.append((f"{rows:,} rows, {what}", by, f"{found:,.0f}", "", ""))
                waits = (
                    ("one row", "INSERT and DELETE", await write_and_delete(outbox, int(per_s * seconds))),
                    ("one row, NOTIFY", "outbox", await latency(outbox, carry, per_s, seconds, "outbox")),
                    ("one row, looks alone", "outbox", await latency(outbox, carry, per_s, seconds, "")),
                )
                for what, by, took in waits:
                    row = (what, by, "", f"{percentile(took, 0.5):.2f}", f"{percentile(took, 0.99):.2f}")
                    result.rows.append(row)
                result.claims.append(Claim("p99 in ms of a row with NOTIFY", percentile(waits[1][2], 0.99), P99_MS_MAX))
        finally:
            postgres.remove()
            await server.stop()
    return result


def main() -> None:
    flags = parser(__doc__.splitlines()[0])
    flags.add_argument("--rows", type=int, default=10_000, help="rows of a full table")
    flags.add_argument("--rate", type=float, default=200.0, help="rows a second, for the latency")
    flags.add_argument("--seconds", type=float, default=10.0, help="how long rows are written, for the latency")
    given = flags.parse_args()
    rows, seconds = (1000, 2.0) if given.quick else (given.rows, given.seconds)
    publish(uvloop.run(measure(rows, given.rate, seconds)), given.json)


if __name__ == "__main__":
    main()
