"""Counters of one hook. Plain numbers; the admin component renders them."""

from collections import Counter
from enum import StrEnum

from ringway.protocol.hook import EVENTS


class HookOutcome(StrEnum):
    """How a request to a hook ended."""

    OK = "ok"  # it allowed the action
    ERROR = "error"  # it refused it with an error
    DISCONNECT = "disconnect"  # it had the client closed
    TIMEOUT = "timeout"  # no answer in time
    UNREACHABLE = "unreachable"  # no connection, or it was cut off
    STATUS = "status"  # an answer with another status than 200
    UNREADABLE = "unreadable"  # an answer that is no answer
    FULL = "full"  # not sent: too many commands wait
    LATE = "late"  # not sent: the turn did not come in time
    OPEN = "open"  # not sent: the breaker is open
    GONE = "gone"  # not sent: the client has gone meanwhile

    @property
    def is_failure(self) -> bool:
        """True if the command had no answer of the hook, though its client waits for one."""
        return self not in (HookOutcome.OK, HookOutcome.ERROR, HookOutcome.DISCONNECT, HookOutcome.GONE)


class HookStats:
    """The counters of one hook; `requests` is by event and outcome."""

    __slots__ = ("opened", "requests", "seconds")

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, HookOutcome]] = Counter()
        self.seconds: dict[str, float] = dict.fromkeys(EVENTS, 0.0)  # by event: until the answer, of requests sent
        self.opened = 0  # times that the breaker has opened
