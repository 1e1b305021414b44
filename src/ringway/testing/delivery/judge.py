"""The judgement of one subscription: the publications that were owed to it, compared with its record.

Theory of operation, after the queue checker of Jepsen. A publication is *owed* to a subscription if its publisher got
an answer (or a client got it from history), and it began after the first confirmation of the subscription: from then on
P-4.5 promises it. A publication that is owed and not delivered is **lost**: in the *prefix* (before all deliveries),
the *postfix* (after all of them) or the *middle*.

A loss is **announced** if the client was told in time: its subscription was lost and came back without `recovered:
true`. This excuses publications that began before the new confirmation and that follow the same publisher's last
delivery before it. It excuses no hole between deliveries. A client that never came back excuses the publications after
its close, and counts as *away*. Every other loss is **silent**, which no setting allows.

If positions are known (`Order`), they decide instead of the times: publications after the offset of a confirmation are
owed.

**Doubled**: a publication was delivered again. **Reordered**: a publisher's number, or the offset, did not grow.
**Unexpected**: never sent, or refused with an error after which nothing may be published, or not readable; also a
recovery into a different epoch. **Recovered**: its publisher got no answer, and it was delivered (which is allowed).
"""

from dataclasses import dataclass, field, fields

from ringway.testing.delivery.order import Order
from ringway.testing.delivery.published import Outcome, Published, Run
from ringway.testing.delivery.seen import Closed, Seen, Subscribed

EXAMPLES_MAX = 5
NEVER = float("inf")


@dataclass(slots=True)
class Finding:
    """Counts of one subscription, or the sums of many; `silence_s` and `back_s` are times, in seconds."""

    delivered: int = 0
    lost_prefix: int = 0
    lost_middle: int = 0
    lost_postfix: int = 0
    announced: int = 0
    silent: int = 0
    doubled: int = 0
    reordered: int = 0
    unexpected: int = 0
    recovered: int = 0
    unrecovered: int = 0
    """Subscriptions that came back incomplete: `recovered: false`, or recovery was not requested."""
    away: int = 0
    """Subscriptions that were not back at the end."""
    silence_s: float = 0.0
    """The longest time without a delivery while publications were due."""
    back_s: list[float] = field(default_factory=list)
    """The duration of each loss of the subscription."""
    examples: list[str] = field(default_factory=list)

    @property
    def lost(self) -> int:
        """The number of publications that were owed and not delivered."""
        return self.lost_prefix + self.lost_middle + self.lost_postfix

    @property
    def is_bad(self) -> bool:
        """True if there was a fault that no setting allows."""
        return bool(self.silent or self.doubled or self.reordered or self.unexpected or self.away)

    def note(self, example: str) -> None:
        """Record an example for the reader, up to a few."""
        if len(self.examples) < EXAMPLES_MAX:
            self.examples.append(example)

    def add(self, other: "Finding") -> None:
        """Add the counts and times of a second finding; the longer silence counts. Examples stay with their client."""
        for each in fields(Finding):
            if each.type in (int, "int"):
                setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))
        self.silence_s = max(self.silence_s, other.silence_s)
        self.back_s += other.back_s


class _Line:
    """The deliveries from one publisher so far."""

    __slots__ = ("below", "high", "holes", "low")

    def __init__(self, first: int) -> None:
        self.low = first
        self.high = first
        self.holes: set[int] = set()  # numbers between low and high, not delivered
        self.below: set[int] = set()  # numbers under low, delivered late

    def take(self, number: int) -> str:
        """Record a delivered number; return its fault: "" for none, "doubled" or "reordered"."""
        if number > self.high:
            if number > self.high + 1:
                self.holes.update(range(self.high + 1, number))
            self.high = number
            return ""
        if number < self.low:
            late = number not in self.below
            self.below.add(number)
            return "reordered" if late else "doubled"
        if number in self.holes:
            self.holes.discard(number)
            return "reordered"
        return "doubled"

    def missing(self, count: int) -> list[int]:
        """Return the numbers below `count` that were not delivered."""
        prefix = [number for number in range(self.low) if number not in self.below]
        return [*prefix, *sorted(self.holes), *range(self.high + 1, count)]


class _Start:
    """A confirmation, after which publications are owed; earlier publications are excused if they follow `highs`."""

    __slots__ = ("_at", "_highs", "_offset", "_places")

    def __init__(self, at: float, highs: dict[int, int], places: dict[tuple[int, int], int], offset: int) -> None:
        self._at = at
        self._highs = highs
        self._places = places
        self._offset = offset

    def excuses(self, publisher: int, number: int, began: float) -> bool:
        """Return true if this publication was not owed, or if its loss was announced."""
        if began >= self._at or number <= self._highs.get(publisher, -1):
            return False
        return self._places.get((publisher, number), 0) <= self._offset


def judge(seen: Seen, published: Published, order: Order | None = None, since: float = 0.0) -> Finding:
    """Judge the record of one subscription. The longest silence is measured from the time `since` on."""
    order = order or Order()
    finding = Finding(delivered=len(seen))
    runs = published.runs(seen.channel)
    first = next((event for event in seen.events if isinstance(event, Subscribed)), None)
    lines: dict[int, _Line] = {}
    returns = _walk(seen, runs, order, lines, finding, since)
    if first is None:
        finding.away = 1
        return finding
    if not seen.subscribed:
        finding.away = 1
        returns.append(_Start(NEVER, _highs(lines), {}, 0))
    _find_losses(seen, runs, _start(seen, first, order, {}), lines, returns, finding)
    return finding


def _highs(lines: dict[int, _Line]) -> dict[int, int]:
    return {publisher: line.high for publisher, line in lines.items()}


def _start(seen: Seen, event: Subscribed, order: Order, highs: dict[int, int]) -> _Start:
    return _Start(event.at, highs, order.places(seen.channel, event.epoch), event.offset)


def _walk(
    seen: Seen, runs: dict[int, Run], order: Order, lines: dict[int, _Line], finding: Finding, since: float
) -> list[_Start]:
    """Judge deliveries and events in their order; return the confirmations without recovery."""
    returns: list[_Start] = []
    events = [*seen.events, None]
    position = 0
    last_at, closed_at = 0.0, 0.0
    offset = 0
    epoch = ""
    for event in events:
        end = len(seen) if event is None else event.before
        for index in range(position, end):
            offset = _take(seen, index, offset, runs, lines, finding)
            at = seen.at[index]
            if at >= since and finding.silence_s < at - last_at:
                run = runs.get(seen.publisher[index])
                number = seen.number[index]
                began = run.began[number] if run is not None and 0 <= number < len(run) else at
                finding.silence_s = max(finding.silence_s, at - max(began, last_at, since))
            last_at = at
        position = end
        if isinstance(event, Closed):
            closed_at = event.at
        elif event is not None:
            if event is not seen.events[0]:
                finding.back_s.append(event.at - closed_at)
                if not event.recovered:
                    finding.unrecovered += 1
                    returns.append(_start(seen, event, order, _highs(lines)))
                elif event.epoch != epoch:
                    finding.unexpected += 1
                    finding.note(f"{seen.channel}: recovered from epoch {epoch!r} into {event.epoch!r}")
            if event.epoch != epoch:
                offset, epoch = 0, event.epoch
    return returns


def _take(
    seen: Seen, index: int, last_offset: int, runs: dict[int, Run], lines: dict[int, _Line], finding: Finding
) -> int:
    """Judge one delivery by itself; return the newest offset."""
    publisher, number, offset = seen.publisher[index], seen.number[index], seen.offset[index]
    if not _was_sent(runs, publisher, number):
        finding.unexpected += 1
        finding.note(f"{seen.channel}: {publisher}/{number} was never published")
        return max(last_offset, offset)
    line = lines.get(publisher)
    wrong = ""
    if line is None:
        lines[publisher] = _Line(number)
    else:
        wrong = line.take(number)
    if not wrong and offset and offset <= last_offset:
        wrong = "reordered"
    if wrong:
        setattr(finding, wrong, getattr(finding, wrong) + 1)
        finding.note(f"{seen.channel}: {publisher}/{number} {wrong} at {seen.at[index]:.3f}, offset {offset}")
    elif runs[publisher].outcome[number] != Outcome.ACKED:
        finding.recovered += 1
    return max(last_offset, offset)


def _find_losses(
    seen: Seen,
    runs: dict[int, Run],
    first: _Start,
    lines: dict[int, _Line],
    returns: list[_Start],
    finding: Finding,
) -> None:
    sent = [runs[p].began[n] for p, n in zip(seen.publisher, seen.number, strict=True) if _was_sent(runs, p, n)]
    earliest, latest = (min(sent), max(sent)) if sent else (NEVER, NEVER)
    for publisher, run in runs.items():
        line = lines.get(publisher)
        low = line.low if line is not None else len(run)
        for number in line.missing(len(run)) if line is not None else range(len(run)):
            began = run.began[number]
            if not run.is_owed(number) or (number < low and first.excuses(publisher, number, began)):
                continue
            if began < earliest:
                finding.lost_prefix += 1
            elif began > latest:
                finding.lost_postfix += 1
            else:
                finding.lost_middle += 1
            if any(back.excuses(publisher, number, began) for back in returns):
                finding.announced += 1
            else:
                finding.silent += 1
                finding.note(f"{seen.channel}: {publisher}/{number} lost, began at {began:.3f}")


def _was_sent(runs: dict[int, Run], publisher: int, number: int) -> bool:
    run = runs.get(publisher)
    return run is not None and 0 <= number < len(run) and run.outcome[number] != Outcome.REFUSED
