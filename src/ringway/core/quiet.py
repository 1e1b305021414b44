"""Quiet moment at which a connection may be cut as planned, so that no answer under way is lost.

A relay knows no protocol: it sees which end sends, and when. A client that sent last may be owed an answer; after an
answer there is a gap. So a moment is quiet after silence on both sides: for `quiet_s` if the node sent last, for
`UNANSWERED` times as long if the client did, or if that is unknown. Not every connection is ever silent. The longer it
takes, the less is required, in three parts of the time that is allowed:

    first     silence of both sides
    second    or: the client has been silent for `quiet_s`, and the node has sent since (it sends without a pause)
    third     or: the node has sent last (question follows answer without a pause: cut behind an answer)

When all of the time has passed, the moment is not waited for any more. Times are in seconds of any one clock.
"""

UNANSWERED = 5
"""A message that is not answered after so many times `quiet_s` of silence wants no answer."""


class Quiet:
    """Follows which end of one connection sends, from `now` on. Pings and pongs do not count."""

    __slots__ = ("_began", "_client_at", "_node_at", "_node_last", "_part_s", "_quiet_s")

    def __init__(self, now: float, quiet_s: float, deadline_s: float) -> None:
        self._began = now
        self._client_at = now
        self._node_at = now
        self._node_last = False
        self._quiet_s = quiet_s
        self._part_s = deadline_s / 3

    def client_spoke(self, now: float) -> None:
        """Note that the client has sent something."""
        self._client_at = now
        self._node_last = False

    def node_spoke(self, now: float) -> None:
        """Note that the node has sent something."""
        self._node_at = now
        self._node_last = True

    def is_quiet(self, now: float) -> bool:
        """True if the connection may be cut now."""
        if now - max(self._client_at, self._node_at) >= self._silence_s:
            return True
        if not self._node_last:
            return False
        waited = now - self._began
        if waited >= 2 * self._part_s:
            return True
        return waited >= self._part_s and now - self._client_at >= self._quiet_s

    def next_s(self, now: float) -> float:
        """Return after how long it may be quiet if neither end sends; more than 0. Ask again when the node sends."""
        ends = [max(self._client_at, self._node_at) + self._silence_s]
        if self._node_last:
            ends += [self._began + self._part_s, self._began + 2 * self._part_s, self._client_at + self._quiet_s]
        return max(0.001, min((end - now for end in ends if end > now), default=self._quiet_s))

    @property
    def _silence_s(self) -> float:
        return self._quiet_s if self._node_last else UNANSWERED * self._quiet_s
