"""Faults of the database of an outbox: it restarts, cuts connections, is not there, or refuses."""

from pathlib import Path

import asyncpg
import pytest

from integration.node.conftest import Dial, StartNode
from integration.outbox.kit import Outbox, Recorder, calls_of, until
from ringway.core.outbox import DONE, OutboxRow, RowEnd, RowOutcome
from ringway.node.server_api.publishing import Publishing
from support.postgres_server import PostgresServer
from support.system import free_port


@pytest.mark.parametrize("how", ["stopped", "killed"])
async def test_a_database_that_restarts_is_found_again(outbox: Outbox, postgres: PostgresServer, how: str) -> None:
    recorder = Recorder(lambda row: DONE)
    settings = {"partition_notification_channel": "outbox", "partition_poll_interval_s": 0.05}
    async with outbox.read_by(recorder.carry_out, **settings) as consumer:
        await outbox.publish("a", 1)
        await outbox.until_empty()
        outbox.writer.terminate()
        postgres.stop() if how == "stopped" else postgres.kill()
        await until(lambda: consumer.stats.database_up == 0)
        assert "the outbox's database fails" in str(consumer.problems)
        assert consumer.stats.failures > 0
        postgres.start()
        outbox.writer = await asyncpg.connect(outbox.dsn)
        await until(lambda: consumer.stats.database_up == 1)
        await outbox.publish("a", 2)
        await outbox.until_empty()
        await until(lambda: str(consumer.problems) == "")
    assert len(recorder.tried) == 2


@pytest.mark.parametrize(("channel", "times"), [("kept:a", 1), ("a", 2)], ids=["with history", "without history"])
async def test_a_row_that_is_carried_out_twice_is_published_once_where_history_can_tell(
    outbox: Outbox, start_node: StartNode, dial: Dial, channel: str, times: int
) -> None:
    node = await start_node(namespaces=("default:history_size=0", "kept:history_size=10"))
    peer = await dial(node, connect=True)
    await peer.subscribe(channel)
    calls, attempts = calls_of(node), 0

    async def carry_out(row: OutboxRow) -> RowOutcome:
        nonlocal attempts
        outcome = await calls.carry_out(row)
        attempts += 1
        if attempts == 1:
            await outbox.cut_off()
        return outcome

    await outbox.publish(channel, "row")
    async with outbox.read_by(carry_out) as consumer:
        await outbox.until_empty()
        assert consumer.stats.failures > 0
        assert attempts == 2
        await outbox.publish(channel, "last")
        await outbox.until_empty()
    seen = [(await peer.push())["pub"]["data"] for _ in range(times + 1)]
    assert seen == ["row"] * times + ["last"]


async def test_a_broadcast_is_published_once_where_history_can_tell(
    outbox: Outbox, start_node: StartNode, dial: Dial
) -> None:
    node = await start_node(namespaces=("default:history_size=0", "kept:history_size=10"))
    peer = await dial(node, connect=True)
    for channel in ("kept:a", "a"):
        await peer.subscribe(channel)
    calls, seen = calls_of(node), []

    async def carry_out(row: OutboxRow) -> RowOutcome:
        await calls.carry_out(row)
        return await calls.carry_out(row)

    await outbox.insert("broadcast", {"channels": ["a", "kept:a"], "data": 1})
    await outbox.publish("kept:a", "end")
    async with outbox.read_by(carry_out):
        while "kept:a end" not in seen:
            push = await peer.push()
            seen.append(f"{push['channel']} {push['pub']['data']}")
    assert seen == ["kept:a 1", "a 1", "a 1", "kept:a end"]


async def test_rows_of_one_batch_that_were_done_before_the_database_failed_are_repeated_in_order(
    outbox: Outbox,
) -> None:
    ids = [await outbox.publish("a", number) for number in range(5)]
    cut = False

    async def cut_once(row: OutboxRow) -> RowOutcome:
        nonlocal cut
        recorder.tried.append(row.id)
        if row.id == ids[2] and not cut:
            cut = True
            await outbox.cut_off()
        return DONE

    recorder = Recorder(lambda row: DONE)
    async with outbox.read_by(cut_once) as consumer:
        await outbox.until_empty()
        await until(lambda: consumer.stats.rows[RowEnd.DONE] == 5)
    assert recorder.tried[-5:] == ids
    assert recorder.tried[:3] == ids[:3]


async def test_a_method_that_fails_by_a_fault_of_ours_is_rejected(
    outbox: Outbox, start_node: StartNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = await start_node()

    async def fail(*_: object) -> None:
        raise KeyError("a fault")

    monkeypatch.setattr(Publishing, "publish", fail)
    calls = calls_of(node)
    await outbox.publish("a", 1)
    async with outbox.read_by(calls.carry_out, rejected_table_name="outbox_rejected"):
        await outbox.until_empty()
    assert "internal server error" in await outbox.writer.fetchval("SELECT error FROM outbox_rejected")


async def test_a_table_that_is_not_there_is_named_and_found_when_it_comes(outbox: Outbox) -> None:
    recorder = Recorder(lambda row: DONE)
    async with outbox.read_by(recorder.carry_out, outbox_table_name="later") as consumer:
        await until(lambda: 'relation "later" does not exist' in str(consumer.problems))
        await outbox.publish("a", 1)
        await outbox.writer.execute("ALTER TABLE outbox RENAME TO later")
        await until(lambda: len(recorder.tried) == 1)


async def test_a_table_for_rejected_rows_that_is_not_there_loses_no_row(outbox: Outbox) -> None:
    recorder = Recorder(lambda row: RowOutcome(RowEnd.REJECTED, "no"))
    await outbox.publish("a", 1)
    async with outbox.read_by(recorder.carry_out, rejected_table_name="nowhere") as consumer:
        await until(lambda: '"nowhere" does not exist' in str(consumer.problems))
    assert await outbox.count() == 1


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://u:hunter2secret@127.0.0.1:{port}/x",
        "postgresql://u:hunter2secret@127.0.0.1:hunter2secret/x",
        "postgresql://u:hunter2secret@[x/y",
        "postgresql://u:hunter2secret@127.0.0.1:{port}/x?sslmode=hunter2secret",
    ],
    ids=["nobody there", "port", "host", "option"],
)
async def test_the_password_is_in_no_problem(outbox: Outbox, dsn: str, capfd: pytest.CaptureFixture[str]) -> None:
    outbox.dsn = dsn.format(port=free_port())
    recorder = Recorder(lambda row: DONE)
    async with outbox.read_by(recorder.carry_out) as consumer:
        await until(lambda: bool(str(consumer.problems)))
        assert "database fails" in str(consumer.problems)
        assert "hunter2secret" not in str(consumer.problems)
    said = capfd.readouterr()
    assert "hunter2secret" not in said.out + said.err


async def test_the_file_with_the_address_is_read_at_each_connection(outbox: Outbox, tmp_path: Path) -> None:
    file = tmp_path / "dsn"
    file.write_text(f"postgresql://postgres@127.0.0.1:{free_port()}/none\n")
    recorder = Recorder(lambda row: DONE)
    await outbox.publish("a", 1)
    async with outbox.read_by(recorder.carry_out, dsn="", dsn_file=str(file)) as consumer:
        await until(lambda: consumer.stats.failures > 0)
        file.unlink()
        await until(lambda: "cannot be read" in str(consumer.problems))
        file.write_text(outbox.dsn + "\n")
        await outbox.until_empty()
