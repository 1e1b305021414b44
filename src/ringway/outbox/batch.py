"""One transaction of one partition: its rows are read under a lock, carried out, and deleted.

The lock belongs to the transaction, so that it ends with it, also if this process or its machine dies. A row is deleted
after its method has succeeded: if the process dies in between, the row is carried out again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

import msgspec

from ringway.core.outbox import Lane, OutboxRow, RowEnd, RowOutcome, Turn, plan_turns
from ringway.outbox.session import DatabaseSession, Row
from ringway.outbox.statements import Statements

BATCH_S = 10.0
"""No row is begun after this time, so that the transaction ends before the database ends it (`IDLE_S`), and so that a
process that was paused does not go on with rows that another node has by now."""

BATCH_BYTES = 8 * 1024 * 1024
"""Bytes of a batch's payloads, as the database stores them (compressed); one row may exceed them. So a batch fits into
memory, and is read in time; the next batch reads the other rows."""

TOGETHER_MAX = 128
"""Publications that are begun together, as of a batch of the server API."""

CarryOut = Callable[[OutboxRow], Awaitable[RowOutcome]]
"""Carries out one row. It does not raise."""

Outcomes = list[tuple[OutboxRow, RowOutcome]]


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """What became of one batch."""

    is_ours: bool  # False: another node has the partition
    has_more: bool = False
    outcomes: Sequence[tuple[OutboxRow, RowOutcome]] = ()

    def ended(self, end: RowEnd) -> Outcomes:
        """Return the rows that ended so."""
        return [(row, outcome) for row, outcome in self.outcomes if outcome.end is end]


class BatchRunner:
    """Carries out batches of up to `limit` rows by `carry_out`. `clock` is monotonic."""

    def __init__(
        self,
        statements: Statements,
        limit: int,
        carry_out: CarryOut,
        clock: Callable[[], float],
        *,
        keeps_rejected: bool,
    ) -> None:
        self._statements = statements
        self._limit = limit
        self._carry_out = carry_out
        self._clock = clock
        self._keeps_rejected = keeps_rejected

    async def run(self, connection: DatabaseSession, partition: int) -> BatchOutcome:
        """Carry out one batch of `partition`; raise one of `FAILURES` if the database fails."""
        statements = self._statements
        async with connection.transaction():
            if not await connection.fetchval(statements.lock, partition):
                return BatchOutcome(is_ours=False)
            until = self._clock() + BATCH_S
            records = await connection.fetch(statements.select, partition, self._limit, BATCH_BYTES)
            rows = [_row_of(record) for record in records]
            is_cut = bool(records) and (len(rows) == self._limit or len(rows) < records[0]["found"])
            may_go_on = partial(self._may_go_on, connection, until)
            turns = plan_turns([(row, _channel_of(row)) for row in rows], TOGETHER_MAX)
            outcomes = await self._run_turns(turns, may_go_on)
            result = BatchOutcome(True, is_cut or not may_go_on(), outcomes)
            if self._keeps_rejected:
                for row, outcome in result.ended(RowEnd.REJECTED):
                    await connection.execute(statements.reject, row.id, outcome.why)
            ended = [row.id for row, outcome in outcomes if outcome.end is not RowEnd.REPEATED]
            if ended:
                await connection.execute(statements.delete, ended)
        return result

    def _may_go_on(self, connection: DatabaseSession, until: float) -> bool:
        """False if it is too late to begin a row, or if the connection is lost, and the lock with it."""
        return self._clock() < until and not connection.is_closed()

    async def _run_turns(self, turns: Sequence[Turn], may_go_on: Callable[[], bool]) -> Outcomes:
        outcomes: Outcomes = []
        for turn in turns:
            if not may_go_on():
                break
            for lane in await asyncio.gather(*(self._run_lane(lane, may_go_on) for lane in turn)):
                outcomes += lane
            if any(outcome.end is RowEnd.REPEATED for _, outcome in outcomes):
                break
        return outcomes

    async def _run_lane(self, lane: Lane, may_go_on: Callable[[], bool]) -> Outcomes:
        outcomes: Outcomes = []
        for row in lane:
            if not may_go_on():
                break
            outcome = await self._carry_out(row)
            outcomes.append((row, outcome))
            if outcome.end is RowEnd.REPEATED:
                break
        return outcomes


class _Published(msgspec.Struct):
    channel: str = ""


_decode_published = msgspec.json.Decoder(_Published).decode


def _row_of(record: Row) -> OutboxRow:
    payload = record["payload"]
    raw = payload if isinstance(payload, bytes) else str(payload or "").encode(errors="replace")
    return OutboxRow(record["id"], str(record["method"]), raw, f"outbox-{record['id']}-{record['created_us'] or 0}")


def _channel_of(row: OutboxRow) -> str:
    """Return the channel that a row publishes to; empty for other rows, and for those that cannot be read."""
    if row.method != "publish":
        return ""
    try:
        return _decode_published(row.payload).channel
    except (ValueError, RecursionError):
        return ""
