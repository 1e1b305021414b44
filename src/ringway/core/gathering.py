"""Gathering of answers from members whose number may be unknown: the time to wait, and the members to wait for.

An engine that counts the receivers of a question ends the gathering exactly: with as many answers. An engine that does
not count leaves three facts. A member that answered the last question is *known*, and is waited for until the
deadline: its event loop may stall. After a grace without answers, unknown members are not waited for. A known member
that is silent then is asked alone. If it has no further answer it says so at once. If it is gone the engine says so. If
it stalls no reply comes.

The grace follows the duration of answers (`AnswerTimes`): a slow network or slow members make it longer.
"""

from collections.abc import Iterable

from ringway.core.recent import Recent

GRACE_S_MIN = 0.01
"""The least grace: the turns of a busy event loop last a few milliseconds."""

GRACE_TIMES = 2.0
"""The grace as a multiple of the longest time that a member's last answer took."""


class AnswerTimes:
    """The duration of each member's last answer; at most 1024 members, which answered most recently."""

    __slots__ = ("_grace_s_max", "_times")

    def __init__(self, grace_s_max: float) -> None:
        self._grace_s_max = grace_s_max
        self._times: Recent[bytes, float] = Recent()

    def add(self, member: bytes, seconds: float) -> None:
        """Record that the answer of `member` took `seconds`."""
        self._times.add(member, seconds)

    def grace_s(self) -> float:
        """Return the time to wait after the last answer; the maximum while no duration is known."""
        slowest = max(self._times.values(), default=self._grace_s_max)
        return min(max(GRACE_TIMES * slowest, GRACE_S_MIN), self._grace_s_max)


class Gathering:
    """The wait for the answers to one question. All times are of one monotonic clock, in seconds."""

    __slots__ = ("_answers", "_asked_alone", "_deadline", "_grace_s", "_quiet_at", "_receivers", "_silent")

    def __init__(self, known: Iterable[bytes], grace_s: float, now: float, deadline: float) -> None:
        self._silent = set(known)
        self._grace_s = grace_s
        self._quiet_at = now + grace_s
        self._deadline = deadline
        self._receivers: int | None = None
        self._answers = 0
        self._asked_alone = False

    def on_receivers(self, count: int) -> None:
        """Record the engine's count of the members that were asked."""
        self._receivers = count

    def on_answer(self, member: bytes, now: float) -> None:
        """Record that a member has answered, for the first time."""
        self._answers += 1
        self._silent.discard(member)
        self._quiet_at = now + self._grace_s

    def on_gone(self, member: bytes) -> None:
        """Record that a known member that was asked alone does not exist any more."""
        self._silent.discard(member)

    def overdue(self, now: float) -> frozenset[bytes]:
        """Return the members that are to be asked alone now; each is returned once."""
        if self._receivers is not None or self._asked_alone or now < self._quiet_at:
            return frozenset()
        self._asked_alone = True
        return frozenset(self._silent)

    def wait_s(self, now: float) -> float:
        """Return the time to wait for the next answer before the next call; 0 if the wait is over."""
        if self._receivers is not None:
            until = self._deadline if self._answers < self._receivers else now
        elif self._silent and self._asked_alone:
            until = self._deadline
        else:
            until = min(self._quiet_at, self._deadline)
        return max(0.0, until - now)
