"""Rows of an outbox on one node: carried out in their order, deleted, and rejected if they can never succeed."""

import json
import random

import pytest

from integration.node.conftest import Dial, StartNode
from integration.node.kit import Peer
from integration.outbox.kit import PUT_BACK, WRITE, Outbox, Recorder, until
from ringway.core.outbox import DONE, OutboxRow, RowEnd, RowOutcome
from ringway.outbox.batch import BATCH_BYTES

KEPT = ("default:history_size=100", "plain:history_size=0")
NEVER = 60.0
"""A pause between looks that no test outlasts: only notifications tell of rows."""


async def data_of(peer: Peer, count: int) -> list[object]:
    return [(await peer.push())["pub"]["data"] for _ in range(count)]


async def test_the_rows_of_the_page_are_published(outbox: Outbox, start_node: StartNode, dial: Dial) -> None:
    node = await start_node(namespaces=("orders:history_size=10",))
    peer = await dial(node, connect=True)
    await peer.subscribe("orders:7")
    async with outbox.read_by_node(node) as consumer:
        await outbox.writer.execute(WRITE)
        assert await data_of(peer, 1) == [{"state": "paid"}]
        await outbox.until_empty()
        await until(lambda: consumer.stats.rows[RowEnd.DONE] == 1)
        assert consumer.stats.batches == 1
        assert str(consumer.problems) == ""


async def test_a_transaction_that_is_rolled_back_publishes_nothing(
    outbox: Outbox, start_node: StartNode, dial: Dial
) -> None:
    node = await start_node()
    peer = await dial(node, connect=True)
    await peer.subscribe("room")
    async with outbox.read_by_node(node, partition_notification_channel="outbox"):
        transaction = outbox.writer.transaction()
        await transaction.start()
        await outbox.publish("room", "undone")
        await transaction.rollback()
        await outbox.publish("room", "done")
        assert await data_of(peer, 1) == ["done"], "and nothing before it"
        await outbox.until_empty()


@pytest.mark.parametrize("method", ["broadcast", "subscribe", "disconnect"])
async def test_other_methods_are_carried_out(outbox: Outbox, start_node: StartNode, dial: Dial, method: str) -> None:
    node = await start_node(namespaces=KEPT)
    peer = await dial(node, connect=True)
    await peer.subscribe("plain:a")
    await peer.subscribe("b")
    (connection,) = node.clients.registry
    bodies = {
        "broadcast": {"channels": ["plain:a", "b"], "data": 5},
        "subscribe": {"client": connection.client, "user": "", "channel": "c"},
        "disconnect": {"client": connection.client, "user": ""},
    }
    async with outbox.read_by_node(node):
        await outbox.insert(method, bodies[method])
        if method == "broadcast":
            assert await data_of(peer, 2) == [5, 5]
        elif method == "subscribe":
            assert (await peer.push())["channel"] == "c"
        else:
            assert (await peer.closed())[0] == 3503
        await outbox.until_empty()


async def test_rows_of_a_channel_keep_their_order(outbox: Outbox, start_node: StartNode, dial: Dial) -> None:
    node = await start_node()
    peers = {name: await dial(node, connect=True) for name in ("a", "b", "c")}
    for name, peer in peers.items():
        await peer.subscribe(name)
    rows = [("publish", json.dumps({"channel": name, "data": n}), 0) for n in range(100) for name in peers]
    await outbox.writer.executemany("INSERT INTO outbox (method, payload, partition) VALUES ($1, $2, $3)", rows)
    async with outbox.read_by_node(node, partition_select_limit=37):
        for peer in peers.values():
            assert await data_of(peer, 100) == list(range(100))
        await outbox.until_empty()


async def test_rows_of_a_partition_are_tried_in_the_order_of_their_ids(outbox: Outbox) -> None:
    ids = [await outbox.insert("disconnect", {}, number % 3) for number in range(90)]
    recorder = Recorder(lambda row: DONE)
    async with outbox.read_by(recorder.carry_out, num_partitions=3, partition_select_limit=7):
        await outbox.until_empty()
    for partition in range(3):
        assert [each for each in recorder.tried if each in ids[partition::3]] == ids[partition::3]


async def test_a_batch_of_large_rows_is_bounded_by_their_bytes(outbox: Outbox) -> None:
    large = random.Random(1).randbytes(BATCH_BYTES // 4).hex()
    ids = [await outbox.publish("a", large) for _ in range(10)]
    recorder = Recorder(lambda row: DONE)
    async with outbox.read_by(recorder.carry_out, partition_poll_interval_s=NEVER) as consumer:
        await outbox.until_empty()
        await until(lambda: consumer.stats.rows == {RowEnd.DONE: 10})
        assert recorder.tried == ids
        assert consumer.stats.batches >= 3


async def test_a_notification_tells_of_a_row_before_the_next_look(outbox: Outbox) -> None:
    recorder = Recorder(lambda row: DONE)
    settings = {"partition_notification_channel": "outbox", "partition_poll_interval_s": NEVER, "num_partitions": 2}
    async with outbox.read_by(recorder.carry_out, **settings) as consumer:
        await until(lambda: consumer.stats.database_up == 1)
        await outbox.publish("room", 1, partition=1)
        await outbox.until_empty()


async def test_without_notifications_a_look_finds_rows(outbox: Outbox) -> None:
    await outbox.writer.execute("DROP TRIGGER outbox_notify ON outbox")
    recorder = Recorder(lambda row: DONE)
    async with outbox.read_by(recorder.carry_out, partition_poll_interval_s=0.05) as consumer:
        await until(lambda: consumer.stats.database_up == 1)
        await outbox.publish("room", 1)
        await outbox.until_empty()


async def test_a_notification_that_names_no_partition_is_nothing(outbox: Outbox) -> None:
    recorder = Recorder(lambda row: DONE)
    async with outbox.read_by(recorder.carry_out, partition_notification_channel="outbox") as consumer:
        await until(lambda: consumer.stats.database_up == 1)
        for text in ("", "-1", "1", "²", "a" * 5000):
            await outbox.writer.execute("SELECT pg_notify('outbox', $1)", text)
        await outbox.publish("room", 1)
        await outbox.until_empty()


BAD = {
    "unknown method": ("publsh", {"channel": "a", "data": 1}, "104: method not found"),
    "batch": ("batch", {"commands": []}, "104: method not found"),
    "no object": ("publish", [1], "107: bad request"),
    "wrong type": ("publish", {"channel": 5, "data": 1}, "107: bad request"),
    "no data": ("publish", {"channel": "a"}, "data is missing"),
    "no channel": ("publish", {"data": 1}, "107: the channel name is empty"),
    "unknown namespace": ("publish", {"channel": "x:a", "data": 1}, "102: unknown channel"),
    "too long": ("publish", {"channel": "a", "data": "x" * 2_000_000}, "106: limit exceeded"),
    "no user": ("disconnect", {}, "107: bad request"),
    "one bad channel of a broadcast": ("broadcast", {"channels": ["a", "x:a"], "data": 1}, "102: unknown channel"),
}


@pytest.mark.parametrize(("method", "payload", "why"), BAD.values(), ids=BAD)
async def test_a_bad_row_is_kept_elsewhere_and_blocks_nothing(
    outbox: Outbox, start_node: StartNode, dial: Dial, method: str, payload: object, why: str
) -> None:
    node = await start_node(namespaces=KEPT, insecure=False, allow_anonymous_connect_without_token=True)
    bad = await outbox.insert(method, payload)
    await outbox.publish("a", "good")
    async with outbox.read_by_node(node, rejected_table_name="outbox_rejected") as consumer:
        await outbox.until_empty()
        await until(lambda: consumer.stats.rows == {RowEnd.REJECTED: 1, RowEnd.DONE: 1})
    (kept,) = await outbox.writer.fetch("SELECT * FROM outbox_rejected")
    assert (kept["id"], kept["method"], json.loads(kept["payload"])) == (bad, method, payload)
    assert why in kept["error"]


async def test_rejected_rows_can_be_put_back(outbox: Outbox) -> None:
    ends = iter([RowOutcome(RowEnd.REJECTED, "no"), DONE])
    recorder = Recorder(lambda row: next(ends))
    await outbox.publish("a", 1)
    async with outbox.read_by(recorder.carry_out, rejected_table_name="outbox_rejected"):
        await outbox.until_empty()
        assert await outbox.count("outbox_rejected") == 1
        await outbox.writer.execute(PUT_BACK)
        await until(lambda: len(recorder.tried) == 2)
        await outbox.until_empty()
    assert await outbox.count("outbox_rejected") == 0


async def test_without_a_table_for_them_rejected_rows_are_deleted(outbox: Outbox) -> None:
    recorder = Recorder(lambda row: RowOutcome(RowEnd.REJECTED, "no"))
    await outbox.publish("a", 1)
    async with outbox.read_by(recorder.carry_out) as consumer:
        await outbox.until_empty()
        await until(lambda: consumer.stats.rows[RowEnd.REJECTED] == 1)
    assert len(recorder.tried) == 1


@pytest.mark.parametrize("kind", ["json", "text", "bytea"])
async def test_payloads_may_have_other_types(outbox: Outbox, start_node: StartNode, dial: Dial, kind: str) -> None:
    using = "convert_to(payload::text, 'UTF8')" if kind == "bytea" else f"payload::{kind}"
    await outbox.writer.execute(f"ALTER TABLE outbox ALTER payload TYPE {kind} USING {using}")
    node = await start_node()
    peer = await dial(node, connect=True)
    await peer.subscribe("räum")
    body = json.dumps({"channel": "räum", "data": "ä"}, ensure_ascii=False)
    given: object = body.encode() if kind == "bytea" else body
    async with outbox.read_by_node(node):
        await outbox.writer.execute("INSERT INTO outbox (method, payload) VALUES ('publish', $1)", given)
        assert await data_of(peer, 1) == ["ä"]
        await outbox.until_empty()


async def test_rows_of_a_partition_that_nobody_reads_are_a_problem(outbox: Outbox) -> None:
    recorder = Recorder(lambda row: DONE)
    await outbox.publish("a", 1, partition=2)
    async with outbox.read_by(recorder.carry_out, num_partitions=2) as consumer:
        await until(lambda: "partition 2" in str(consumer.problems))
        assert "num_partitions is 2" in str(consumer.problems)
    assert await outbox.count() == 1


async def test_what_follows_a_row_that_must_wait_waits_with_it(outbox: Outbox) -> None:
    first = await outbox.publish("a", 1)
    other_channel = await outbox.publish("b", 1)
    second = await outbox.publish("a", 2)
    behind = await outbox.insert("disconnect", {"user": "u"})
    waits = True

    def outcome(row: OutboxRow) -> RowOutcome:
        return RowOutcome(RowEnd.REPEATED, "the engine is away") if waits and row.id == first else DONE

    recorder = Recorder(outcome)
    async with outbox.read_by(recorder.carry_out) as consumer:
        await until(lambda: consumer.stats.rows[RowEnd.REPEATED] >= 3)
        assert set(recorder.tried) == {first, other_channel}
        assert recorder.tried.count(other_channel) == 1, "it is done and deleted"
        assert f"waits at row {first} (publish): the engine is away" in str(consumer.problems)
        waits = False
        await outbox.until_empty()
        await until(lambda: str(consumer.problems) == "")
    assert recorder.tried[-3:] == [first, second, behind]
