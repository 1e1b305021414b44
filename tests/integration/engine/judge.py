"""Faults in the records of members: `judge_delivery`, `judge_leases`, and the time that membership took."""

import itertools
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from integration.engine.record import Held, Record, Seen, Sent

SHOWN_MAX = 12


@dataclass
class Stretch:
    """The events of a subscriber in a channel between two new beginnings."""

    began: float
    last: bool = False
    seen: list[Seen] = field(default_factory=list)


def problems_of(records: Iterable[Record]) -> list[str]:
    """Return the problems that members found themselves."""
    return [f"{record.name}: {problem}" for record in records for problem in record.problems][:SHOWN_MAX]


def judge_delivery(records: Sequence[Record], *, all_kept: bool) -> list[str]:
    """Every confirmed publication came once and in order, or the subscriber was told. With `all_kept` none was."""
    sent: dict[str, dict[str, list[Sent]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        for each in record.sent:
            sent[each.channel][record.name].append(each)
    wrongs = [
        f"{record.name} never got an answer for {each.channel} {each.number}"
        for record in records
        for each in record.sent
        if not each.ended
    ]
    for record in records:
        for channel, stretches in _stretches(record).items():
            where = f"{record.name} of {channel}"
            if all_kept and len(stretches) > 1:
                wrongs.append(f"{where} was told {len(stretches) - 1} times that something is missing")
            for stretch in stretches:
                wrongs += [f"{where}: {wrong}" for wrong in _judge_stretch(stretch, sent[channel])]
    return [*wrongs, *_divergent(records)][:SHOWN_MAX]


def judge_leases(records: Iterable[Record], *, exclusive: bool) -> list[str]:
    """Fencing numbers grow; with `exclusive` no two members were certain to hold the lease at one time."""
    held = sorted((each for record in records for each in record.held), key=lambda each: each.since)
    wrongs = [
        f"the fencing number {later.fence} came after {earlier.fence}: {earlier} {later}"
        for earlier, later in itertools.combinations(held, 2)
        if (earlier.since <= later.asked and later.fence <= earlier.fence) or later.fence == earlier.fence
    ]
    if exclusive:
        wrongs += [
            f"{one.holder} and {other.holder} both held the lease: {one} {other}"
            for one, other in itertools.combinations(held, 2)
            if one.holder != other.holder and _overlap(one, other)
        ]
    return wrongs[:SHOWN_MAX]


def membership_s(records: Sequence[Record], since: float) -> float | None:
    """How long after `since` every member was heard by every member with a report from after that; None: not yet."""
    names = {record.name for record in records}
    last = since
    for record in records:
        first: dict[str, float] = {}
        for each in record.heard:
            if each.announced >= since:
                first.setdefault(each.member, each.at)
        if not names <= first.keys():
            return None
        last = max(last, *(first[name] for name in names))
    return last - since


def silence_s(records: Iterable[Record]) -> float:
    """The longest time from the first attempt of a publication to its confirmation."""
    return max((each.ended - each.began for record in records for each in record.sent if each.ended), default=0.0)


def _stretches(record: Record) -> dict[str, list[Stretch]]:
    found: dict[str, list[Stretch]] = defaultdict(list)
    for seen in record.seen:
        if not seen.payload:
            found[seen.channel].append(Stretch(seen.at))
        else:
            found[seen.channel][-1].seen.append(seen)
    for stretches in found.values():
        stretches[-1].last = True
    return found


def _judge_stretch(stretch: Stretch, sent: dict[str, list[Sent]]) -> Iterator[str]:
    for before, after in itertools.pairwise(stretch.seen):
        if after.offset <= before.offset:
            yield f"offset {after.offset} came after {before.offset}"
    came: dict[str, list[int]] = defaultdict(list)
    for seen in stretch.seen:
        publisher, _, number = seen.payload.partition(" ")
        came[publisher].append(int(number))
    for publisher, publications in sent.items():
        numbers = came[publisher]
        if any(after <= before for before, after in itertools.pairwise(numbers)):
            yield f"publications of {publisher} came again or out of order: {numbers}"
        got = set(numbers)
        oldest, newest = min(got, default=sys.maxsize), max(got, default=-1)
        lost = [
            each.number
            for each in publications
            if each.ended
            and each.number not in got
            and (each.number > oldest or each.began > stretch.began)
            and (stretch.last or each.number < newest)
        ]
        if lost:
            yield f"of {publisher} {len(lost)} were lost silently, first {lost[0]}"


def _divergent(records: Iterable[Record]) -> Iterator[str]:
    """One place, two publications."""
    known: dict[tuple[str, str, int], str] = {}
    for record in records:
        for seen in record.seen:
            if seen.payload:
                found = known.setdefault((seen.channel, seen.epoch, seen.offset), seen.payload)
                if found != seen.payload:
                    yield f"{seen.channel} at {seen.offset} of {seen.epoch} is {found!r} and {seen.payload!r}"


def _overlap(one: Held, other: Held) -> bool:
    return max(one.since, other.since) < min(one.until, other.until)
