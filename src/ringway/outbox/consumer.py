"""The consumer: it looks for rows, is told of new ones, and has the partitions worked on, until it is stopped.

Every node runs one. A partition is worked on by the node that has its lock; the others come back to it later.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from random import Random

from ringway.core.outbox import ReadyPartitions, RowEnd, retry_pause_s
from ringway.logger import get_logger
from ringway.outbox.batch import BatchOutcome, BatchRunner, CarryOut
from ringway.outbox.config import PostgresqlConfig
from ringway.outbox.database import FAILURES, Database
from ringway.outbox.problems import OutboxProblems
from ringway.outbox.session import DatabaseSession
from ringway.outbox.statements import Statements
from ringway.outbox.stats import OutboxStats

STOP_S = 3.0
"""The time for batches under way at the end."""

STRAY_S = 10.0
"""The pause between two looks for rows of partitions that there are not."""

_log = get_logger()


class OutboxConsumer:
    """Has rows of the table of `config` carried out by `carry_out`, on the node `name`. `clock` is monotonic."""

    def __init__(
        self,
        config: PostgresqlConfig,
        carry_out: CarryOut,
        name: str,
        rng: Random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stats = OutboxStats()
        self.problems = OutboxProblems()
        self._config = config
        self._clock = clock
        self._rng = rng
        self._database = Database(config, name)
        self._statements = Statements(config)
        self._batches = BatchRunner(
            self._statements,
            config.partition_select_limit,
            carry_out,
            clock,
            keeps_rejected=bool(config.rejected_table_name),
        )
        self._ready = ReadyPartitions()
        self._found = asyncio.Event()
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()
        self._repeats: dict[int, int] = {}
        self._strays_at = 0.0

    async def run(self) -> None:
        """Carry out rows until `stop`, then wait for cancellation."""
        config = self._config
        _log.info(
            "the outbox is read", table=config.outbox_table_name, partitions=config.num_partitions,
            notified=bool(config.partition_notification_channel),
        )  # fmt: skip
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._watch(), name="looks at the outbox")
                for number in range(min(config.num_partitions, config.connections_max)):
                    group.create_task(self._work(), name=f"outbox worker {number}")
        finally:
            self._ended.set()
        await asyncio.Event().wait()

    async def stop(self) -> None:
        """Begin nothing more; return when the batches under way have ended, or after `STOP_S`."""
        self._stopping.set()
        self._found.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                await self._ended.wait()

    async def _watch(self) -> None:
        """Look for rows by one connection, which also listens, and open a new one whenever it fails."""
        failures = 0
        while not self._stopping.is_set():
            connection: DatabaseSession | None = None
            try:
                connection = await self._database.open()
                await self._prepare(connection)
                while not self._stopping.is_set():
                    await self._look(connection)
                    failures = 0
                    await self._pause(self._config.partition_poll_interval_s)
            except Exception as error:
                failures += 1
                self.stats.database_up = 0
                self._on_failure("looks", error)
                await self._pause(retry_pause_s(failures, self._rng.random()))
            finally:
                if connection is not None:
                    connection.terminate()

    async def _prepare(self, connection: DatabaseSession) -> None:
        if self._config.rejected_table_name:
            await connection.execute(self._statements.check_rejected)
        if channel := self._config.partition_notification_channel:
            await connection.add_listener(channel, self._on_notification)

    async def _look(self, connection: DatabaseSession) -> None:
        count, now = self._config.num_partitions, self._clock()
        found = await connection.fetch(self._statements.look, count)
        if now >= self._strays_at:
            self._strays_at = now + STRAY_S
            stray = await connection.fetchval(self._statements.stray, count)
            self.problems.set("strays", _stray_problem(stray, count))
        self.problems.set("looks", "")
        self.stats.database_up = 1
        self.stats.lag_s = max((record["age_s"] or 0.0 for record in found), default=0.0)
        there = {record["partition"] for record in found}
        for partition in there:
            self._add(partition)
        for partition in self._repeats.keys() - there:  # another node has carried its rows out
            self._on_progress(partition)

    def _on_notification(self, connection: object, pid: int, channel: str, payload: object) -> None:
        text = str(payload)
        partition = int(text) if text.isascii() and text.isdigit() else -1
        if partition in range(self._config.num_partitions):
            self._add(partition)
        else:
            _log.warning(
                "a notification names no partition of the outbox", channel=channel, text=text[:40],
                remedy=f"send the number of the partition, below num_partitions ({self._config.num_partitions})",
            )  # fmt: skip

    def _add(self, partition: int) -> None:
        self._ready.add(partition, self._clock())
        self._found.set()

    async def _work(self) -> None:
        """Work on one partition after the other, by a connection that is opened for the first."""
        connection: DatabaseSession | None = None
        failures = 0
        try:
            while (partition := await self._next_partition()) is not None:
                try:
                    if connection is None or connection.is_closed():
                        connection = await self._database.open()
                    result = await self._batches.run(connection, partition)
                except Exception as error:
                    failures += 1
                    self._on_failure("rows", error)
                    if connection is not None:
                        connection.terminate()
                        connection = None
                    pause_s = retry_pause_s(failures, self._rng.random())
                    self._ready.finish(partition, self._clock(), hold_s=pause_s)
                    await self._pause(pause_s)
                else:
                    failures = 0
                    self.problems.set("rows", "")
                    self._on_result(partition, result)
        finally:
            if connection is not None:
                connection.terminate()

    async def _next_partition(self) -> int | None:
        """Return the next partition with rows, when there is one; None at the end."""
        while not self._stopping.is_set():
            partition = self._ready.take_next()
            if partition is not None:
                return partition
            self._found.clear()
            await self._found.wait()
        return None

    def _on_result(self, partition: int, result: BatchOutcome) -> None:
        stats = self.stats
        for _, outcome in result.outcomes:
            stats.rows[outcome.end] += 1
        for row, outcome in result.ended(RowEnd.REJECTED):
            _log.error(
                "a row of the outbox was rejected", id=row.id, method=row.method[:40], why=outcome.why,
                kept_in=self._config.rejected_table_name or "nowhere (rejected_table_name)",
            )  # fmt: skip
        repeated = result.ended(RowEnd.REPEATED)
        stats.batches += len(repeated) < len(result.outcomes)
        if not result.is_ours:
            self._on_progress(partition)
            self._ready.finish(partition, self._clock(), hold_s=self._config.partition_poll_interval_s)
        elif repeated:
            row, outcome = repeated[0]
            failures = self._repeats[partition] = self._repeats.get(partition, 0) + 1
            why = f"partition {partition} of the outbox waits at row {row.id} ({row.method[:40]}): {outcome.why}"
            self.problems.set(f"partition {partition}", why)
            self._ready.finish(partition, self._clock(), hold_s=retry_pause_s(failures, self._rng.random()))
        else:
            self._on_progress(partition)
            self._ready.finish(partition, self._clock(), has_more=result.has_more)
            self._found.set()

    def _on_progress(self, partition: int) -> None:
        if self._repeats.pop(partition, None) is not None:
            self.problems.set(f"partition {partition}", "")

    def _on_failure(self, what: str, error: Exception) -> None:
        """Record a failure. A fault of the library must not end the node either: a new connection goes on."""
        self.stats.failures += 1
        if not isinstance(error, FAILURES):
            _log.exception("the outbox failed by a fault of ours, or of its library")
        self.problems.set(what, f"the outbox's database fails: {self._database.explain(error)}")

    async def _pause(self, pause_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._stopping.wait()


def _stray_problem(stray: int | None, count: int) -> str:
    if stray is None:
        return ""
    return (
        f"the outbox has rows of partition {stray}, which nobody carries out: postgresql.num_partitions is {count}, so "
        f"that partitions go from 0 to {count - 1}; raise it, or change these rows"
    )
