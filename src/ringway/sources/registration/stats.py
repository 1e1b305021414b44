"""Counters of a gateway's registrations; plain attributes, read at each scrape."""

from collections import Counter


class RegistrationStats:
    """The counters of one registration port."""

    __slots__ = ("drains", "expired", "leases", "left", "refused", "registered", "renewed")

    def __init__(self) -> None:
        self.leases = 0  # leases that have not ended
        self.registered: Counter[str] = Counter()  # by kind: new, restarted, again
        self.renewed = 0
        self.drains = 0  # drains that servers asked for
        self.left = 0  # registrations that servers ended
        self.expired = 0
        self.refused: Counter[str] = Counter()  # requests, by cause
