"""Counters of the outbox of one node; plain attributes, read at each scrape."""

from collections import Counter

from ringway.core.outbox import RowEnd


class OutboxStats:
    """The counters and gauges of one outbox."""

    __slots__ = ("batches", "database_up", "failures", "lag_s", "rows")

    def __init__(self) -> None:
        self.rows: Counter[RowEnd] = Counter()  # attempts at rows, by their end
        self.batches = 0  # transactions that have deleted rows
        self.failures = 0  # times that the database failed
        self.lag_s = 0.0  # age of the oldest row of the table, at the last look
        self.database_up = 0  # 1 while the last look has succeeded
