"""Metrics of the outbox of a node."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ringway.admin.metric import Sample, Source
from ringway.app.metric import counter, gauge

if TYPE_CHECKING:  # a process loads only the components that it runs
    from ringway.outbox.stats import OutboxStats

ROWS = counter(
    "outbox_rows_total",
    "Rows of the outbox that were tried here: done; rejected (they can never succeed); repeated (they will be tried "
    "again).",
    "outcome",
)
BATCHES = counter("outbox_batches_total", "Transactions in which this node has deleted rows of the outbox.")
FAILURES = counter(
    "outbox_database_failures_total", "Times that the outbox's database could not be reached, or failed."
)
DATABASE_UP = gauge("outbox_database_up", "1 while this node reaches the outbox's database.")
LAG = gauge(
    "outbox_lag_seconds",
    "Age of the oldest row of the outbox by the database's clock, at the last look; 0: it is empty.",
)
OUTBOX = (ROWS, BATCHES, FAILURES, DATABASE_UP, LAG)


def read_outbox(stats: "OutboxStats | None") -> list[Source]:
    """Return the source for an outbox; an empty list without one."""
    if stats is None:
        return []

    def read() -> Iterator[Sample]:
        for end, count in list(stats.rows.items()):
            yield Sample(ROWS, count, (str(end),))
        yield Sample(BATCHES, stats.batches)
        yield Sample(FAILURES, stats.failures)
        yield Sample(DATABASE_UP, stats.database_up)
        yield Sample(LAG, stats.lag_s)

    return [read]
