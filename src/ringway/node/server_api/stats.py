"""Counters of the server API of one node; plain attributes, read at each scrape."""

from collections import Counter


class ServerApiStats:
    """The counters of one API port, and of the orders of all of them that this node has carried out."""

    __slots__ = ("calls", "refused")

    def __init__(self) -> None:
        self.calls: Counter[tuple[str, str]] = Counter()  # by method and outcome: ok, or the code of an error
        self.refused: Counter[int] = Counter()  # requests that were no call, by HTTP status
