"""Clock skew of members: by how much their wall clocks are ahead of this process's, from the times in their messages.

A message that was sent at `sent_at` by the sender's clock is received at `received_at` by the own clock, a delay later:
`sent_at - received_at = skew - delay`. A delay is never negative, so each difference is a lower bound of the skew, and
the greatest of several is the best estimate (NTP's clock filter, RFC 5905, section 10, chooses the sample of the least
delay for the same reason). It is taken over the last `SAMPLES` to `2 * SAMPLES` messages, so that a clock that is set
is followed. A negative estimate may be a delay; it counts from `SURE` messages on. Tickets lose nothing by that: a
member whose clock is behind accepts tickets that seem to be from the future, up to a minute.

If this process or the engine was stopped, many messages arrive at one moment, all of them late. So the last messages
span `SPAN_S` of arrival at least: there is always one that has not waited.
"""

from dataclasses import dataclass
from math import inf

from ringway.types import Incarnation, NodeName

SAMPLES = 5
SURE = 3

SPAN_S = 3.0
SURE_SPAN_S = 1.5
"""The time between the first and the last arrival of as many messages; a member reports each 0.8 to 1.2 s."""

TOLD_S = 2.0
"""A skew above this is reported; below half of it, it is reported as over."""

CORRECTED_S_MAX = 60.0
"""Up to this skew tickets are issued in the other member's clock. A member beyond it is given no clients: its messages
would soon be refused for their age."""

OWN_SHARE = 0.5
OWN_MEMBERS = 2


@dataclass(frozen=True, slots=True)
class SkewNews:
    """A change that is to be told: the skew of a member is large, or is not any more."""

    name: NodeName
    skew_s: float
    is_large: bool


class _Samples:
    __slots__ = ("before", "began_at", "count", "incarnation", "is_sure", "is_told", "now", "skew_s")

    def __init__(self, incarnation: Incarnation) -> None:
        self.incarnation = incarnation
        self.before = -inf  # the greatest difference of the last `SAMPLES` before these
        self.now = -inf
        self.began_at = 0.0  # when the first of these arrived
        self.count = 0
        self.is_sure = False
        self.is_told = False
        self.skew_s = 0.0

    def add(self, difference: float, received_at: float) -> None:
        if self.count >= SAMPLES and abs(received_at - self.began_at) >= SPAN_S:
            self.before, self.now, self.count = self.now, -inf, 0
        if not self.count:
            self.began_at = received_at
        if difference > self.now:
            self.now = difference
        self.count += 1
        self.is_sure = self.is_sure or (self.count >= SURE and abs(received_at - self.began_at) >= SURE_SPAN_S)
        skew_s = self.now if self.now > self.before else self.before
        self.skew_s = skew_s if self.is_sure or skew_s > 0 else 0.0


class ClockSkews:
    """The skews of all members, as one process measures them."""

    def __init__(self) -> None:
        self._members: dict[NodeName, _Samples] = {}

    def heard(self, name: NodeName, incarnation: Incarnation, sent_at: float, received_at: float) -> SkewNews | None:
        """Take the times of one message; return the change that is to be told, if there is one."""
        samples = self._members.get(name)
        if samples is None or samples.incarnation != incarnation:
            samples = self._members[name] = _Samples(incarnation)
        samples.add(sent_at - received_at, received_at)
        if samples.is_told or not -TOLD_S <= samples.skew_s <= TOLD_S:
            return self._news(name, samples)
        return None

    def _news(self, name: NodeName, samples: _Samples) -> SkewNews | None:
        size = abs(samples.skew_s)
        if size > TOLD_S if not samples.is_told else size < TOLD_S / 2:
            samples.is_told = not samples.is_told
            return SkewNews(name, samples.skew_s, samples.is_told)
        return None

    def skew_s(self, name: NodeName) -> float:
        """Return by how much the clock of the member `name` is ahead; negative if it is behind, 0 if it is unknown."""
        samples = self._members.get(name)
        return samples.skew_s if samples is not None else 0.0

    def forget(self, name: NodeName) -> None:
        """Drop what is known of the member `name`, which has left."""
        self._members.pop(name, None)

    def own_fault_s(self) -> float:
        """Return by how much the clock of this process is behind most members; negative if it is ahead, 0 if it is not.

        If half of the members or more, and two at least, differ in one direction, the own clock is the wrong one.
        """
        large = [samples.skew_s for samples in self._members.values() if samples.is_told]
        for same in ([skew for skew in large if skew > 0], [skew for skew in large if skew < 0]):
            if len(same) >= max(OWN_MEMBERS, OWN_SHARE * len(self._members)):
                return sorted(same)[len(same) // 2]
        return 0.0


def describe_skew(skew_s: float) -> str:
    """Return the skew of a member's clock in words, with the remedy."""
    direction = "ahead of" if skew_s > 0 else "behind"
    return f"its clock is {abs(skew_s):,.1f} s {direction} this gateway's; have NTP set the clocks of the machines"


def why_barred(skew_s: float) -> str:
    """Return why a node of this skew is given no clients; empty if it may be."""
    if abs(skew_s) <= CORRECTED_S_MAX:
        return ""
    return f"{describe_skew(skew_s)}: tickets allow for {CORRECTED_S_MAX:g} s"
