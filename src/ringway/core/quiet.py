"""Quiet moment at which a connection may be cut as planned, so that no answer under way is lost.

A relay knows no protocol: it sees only which end sends, and when. If the client sent last, an answer may be due; after
an answer there is a gap. So a moment is quiet after silence on both sides: for `quiet_s` if the node sent last, for
`UNANSWERED` times as long if the client sent last, or if the last sender is unknown. Some connections are never silent.
So less is required with time, in three parts of the allowed time:

    first     silence of both sides
    second    or: right behind a message of the node, if the client has been silent for `quiet_s` (the node sends
              without a pause)
    third     or: right behind a message of the node (question follows answer without a pause)

The later after an answer, the more likely is it that the client speaks in this moment. So a moment lasts for `LATE` of
`quiet_s`; a busy loop that checks later waits for the next moment. When all of the time has passed, the relay does not
wait any more. Times are in seconds of any one clock.
"""

UNANSWERED = 5
"""The silence, in units of `quiet_s`, after which an unanswered message counts as one without an answer."""

LATE = 0.2
"""How long a quiet moment behind an answer lasts, in units of `quiet_s`; at least `LATE_S_MIN`."""

LATE_S_MIN = 0.05


class Quiet:
    """Records which end of one connection sends, from `now` on. Pings and pongs do not count."""

    __slots__ = ("_began", "_client_at", "_late_s", "_node_at", "_node_last", "_part_s", "_quiet_s")

    def __init__(self, now: float, quiet_s: float, deadline_s: float) -> None:
        self._began = now
        self._client_at = now
        self._node_at = now
        self._node_last = False
        self._quiet_s = quiet_s
        self._late_s = max(LATE * quiet_s, LATE_S_MIN)
        self._part_s = deadline_s / 3

    def client_spoke(self, now: float) -> None:
        """Record that the client has sent data."""
        self._client_at = now
        self._node_last = False

    def node_spoke(self, now: float) -> None:
        """Record that the node has sent data."""
        self._node_at = now
        self._node_last = True

    def is_quiet(self, now: float) -> bool:
        """True if the connection may be cut now."""
        silence_s = now - max(self._client_at, self._node_at)
        if silence_s >= UNANSWERED * self._quiet_s:
            return True
        if not self._node_last:
            return False
        if self._quiet_s <= silence_s <= self._quiet_s + self._late_s:
            return True
        if silence_s > self._late_s:
            return False
        return self.cuts_behind_answers(now) or (
            now - self._began >= self._part_s and now - self._client_at >= self._quiet_s
        )

    def cuts_behind_answers(self, now: float) -> bool:
        """True in the third part: a relay is cut right behind an answer, because the client is about to speak again."""
        return now - self._began >= 2 * self._part_s

    def next_s(self, now: float) -> float:
        """Return the time until the next possible quiet moment, more than 0. Call it again when the node sends."""
        spoken_at = max(self._client_at, self._node_at)
        ends = [spoken_at + UNANSWERED * self._quiet_s]
        if self._node_last:
            ends.append(spoken_at + self._quiet_s)
            if now - spoken_at <= self._late_s:
                ends += [self._began + self._part_s, self._began + 2 * self._part_s, self._client_at + self._quiet_s]
        return max(0.001, min((end - now for end in ends if end > now), default=self._quiet_s))
