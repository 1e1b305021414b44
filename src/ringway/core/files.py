"""File descriptors: the connections that a process may hold, so that it can always accept one more and answer it.

A process without free descriptors cannot even refuse: the kernel's queue fills, or newcomers are cut without an answer.
So some descriptors of the limit are reserved for the process itself (engine, log, admin port, checks), and some for
newcomers; only the rest is for accepted connections. Sockets that owe a request use the free part of all these, and are
closed first.
"""

from dataclasses import dataclass

UNLIMITED = 1 << 30
"""The value for no limit."""

FEW = 4096
"""Below this limit a process holds few connections, and its operator should know."""


@dataclass(frozen=True, slots=True)
class FileBudget:
    """The shares of one process's descriptors."""

    files: int  # the limit
    own: int  # for the process itself
    new: int  # for sockets that owe a request: this many always have room
    stay: int  # for accepted connections

    def pending_max(self, staying: int, bound: int) -> int:
        """Return how many sockets may owe a request beside `staying` accepted connections: up to `bound`."""
        return max(min(self.new, bound), min(bound, self.files - self.own - staying))


def plan_files(limit: int) -> FileBudget:
    """Return the budget of a process that may have `limit` open files; 0 or less: no limit."""
    files = limit if 0 < limit < UNLIMITED else UNLIMITED
    own = min(256, max(24, files // 4))
    new = min(256, max(8, files // 8))
    return FileBudget(files, own, new, max(1, files - own - new))
