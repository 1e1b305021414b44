"""Several nodes over one outbox: they share its partitions, and lose nothing when one of them is killed."""

import asyncio
import json
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import asyncpg
import cent
import pytest

from integration.outbox.kit import MAKE, PATIENCE_S, Outbox, Recorder, until
from ringway.core.outbox import DONE
from support.postgres_server import PostgresServer
from support.system import NODE_PORTS, System, free_port, running_system, wait_for

PARTITIONS = 4


async def test_two_nodes_share_the_partitions_and_each_row_is_carried_out_once_in_order(outbox: Outbox) -> None:
    ids = [await outbox.publish("a", number, number % PARTITIONS) for number in range(400)]
    recorders = [Recorder(lambda row: DONE) for _ in range(2)]
    settings = {"num_partitions": PARTITIONS, "partition_select_limit": 5, "partition_poll_interval_s": 0.01}
    async with (
        outbox.read_by(recorders[0].carry_out, **settings, connections_max=2),
        outbox.read_by(recorders[1].carry_out, **settings, connections_max=2),
    ):
        await outbox.until_empty()
    assert all(recorder.tried for recorder in recorders), "both have worked"
    assert sorted(recorders[0].tried + recorders[1].tried) == ids
    for recorder in recorders:
        for partition in range(PARTITIONS):
            mine = [each for each in recorder.tried if each in ids[partition::PARTITIONS]]
            assert mine == sorted(mine)


async def test_a_partition_is_worked_on_by_one_node_at_a_time(outbox: Outbox) -> None:
    entered, leave = asyncio.Event(), asyncio.Event()
    other = Recorder(lambda row: DONE)

    async def wait(row: object) -> object:
        entered.set()
        await leave.wait()
        return DONE

    for number in range(3):
        await outbox.publish("a", number)
    settings = {"partition_poll_interval_s": 0.01}
    async with outbox.read_by(wait, **settings):  # type: ignore[arg-type]
        await entered.wait()
        async with outbox.read_by(other.carry_out, **settings) as second:
            await outbox.publish("b", 1)
            await until(lambda: second.stats.lag_s > 0.2)
            assert other.tried == []
            leave.set()
            await outbox.until_empty()


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_node_that_is_killed_loses_no_row(postgres: PostgresServer, outbox: Outbox, tmp_path: Path) -> None:
    """Rows come all the time; nodes are killed and come back. Each channel has each row once, in order."""
    keys, key, port = tmp_path / "keys", "k" * 32, free_port(NODE_PORTS)
    keys.write_text(key)
    environ: Mapping[str, str] = {
        "RINGWAY_POSTGRESQL_DSN": outbox.dsn,
        "RINGWAY_POSTGRESQL_OUTBOX_TABLE_NAME": "outbox",
        "RINGWAY_POSTGRESQL_NUM_PARTITIONS": str(PARTITIONS),
        "RINGWAY_POSTGRESQL_PARTITION_SELECT_LIMIT": "20",
        "RINGWAY_POSTGRESQL_PARTITION_NOTIFICATION_CHANNEL": "outbox",
        "RINGWAY_NODE_NAMESPACES": "default:history_size=2000,history_ttl_s=600",
    }
    flags = ("--http-api-port", str(port), "--http-api-key-file", str(keys))
    rows, killed = 2000, []
    with running_system(*flags, environ=environ) as system:
        for start in range(0, rows, 20):
            batch = [
                ("publish", json.dumps({"channel": f"c{n % PARTITIONS}", "data": n}), n % PARTITIONS)
                for n in range(start, start + 20)
            ]
            await outbox.writer.executemany(
                "INSERT INTO outbox (method, payload, partition) VALUES ($1, $2, $3)", batch
            )
            await asyncio.sleep(0.01)
            if start in (400, 1000, 1400):
                name = "node-1" if start != 1000 else "node-2"
                killed.append(await asyncio.to_thread(kill, system, name))
        await outbox.until_empty()
        assert len(killed) == 3
        await asyncio.to_thread(wait_for, lambda: is_published(port, key, rows), "all rows in their channels")


def kill(system: System, name: str) -> int:
    """Kill a node, as soon as it lives; return the id of its process."""

    def is_there() -> int:
        with suppress(LookupError):
            return system.pid_of(name)
        return 0

    wait_for(is_there, f"{name} to be there")
    return system.kill(name)


def is_published(port: int, key: str, rows: int) -> bool:
    """True if each channel has its rows, once and in their order."""
    api = cent.Client(f"http://127.0.0.1:{port}/api", key)
    with suppress(cent.CentError):  # the node is coming back
        for partition in range(PARTITIONS):
            reply = api.history(cent.HistoryRequest(channel=f"c{partition}", limit=rows))
            assert [each.data for each in reply.publications] == list(range(partition, rows, PARTITIONS))
        return True
    return False


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_the_admin_port_tells_of_an_outbox_whose_database_is_gone(tmp_path: Path) -> None:
    server = PostgresServer()
    try:
        server.start()
        writer = await asyncpg.connect(server.dsn())
        await writer.execute(MAKE)
        file = tmp_path / "dsn"
        file.write_text(server.dsn())
        flags = ("--postgresql-dsn-file", str(file), "--postgresql-outbox-table-name", "outbox")
        with running_system(*flags, nodes=1) as system:
            url = next(iter(system.nodes().values()))["admin_url"]
            assert (await ask(url, "healthz"))["degraded"] is False
            assert "ringway_outbox_database_up 1.0" in await text(url, "metrics")
            writer.terminate()
            server.stop()
            async with asyncio.timeout(PATIENCE_S):
                while not (await ask(url, "healthz"))["degraded"]:
                    await asyncio.sleep(0.1)
            health = await ask(url, "healthz")
            assert health["ready"] is True, "it serves its clients"
            assert "the outbox's database fails" in health["problems"][0]
            assert "ringway_outbox_database_up 0.0" in await text(url, "metrics")
    finally:
        server.remove()


async def text(url: str, what: str) -> str:
    def read() -> str:
        with urllib.request.urlopen(f"{url}/{what}", timeout=10) as answer:
            return answer.read().decode()

    return await asyncio.to_thread(read)


async def ask(url: str, what: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(await text(url, what))
    return found
