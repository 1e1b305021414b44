"""Beats: reports in short, by their differences from an introduction of the same member (PROTOCOL.md P-8.4).

A beat names the introduction that it builds on, and contains each field that differs from it. So a lost beat costs
nothing: any beat gives the whole report, if the introduction is known. Counters and counts are differences; measures
are whole numbers of the smallest step that matters, and `settle_steps` brings a report to these steps before it is
sent, so that sender and receivers have equal values.

Most of a beat is as in the beat before. So a receiver compares them, and reads only what is new (`BeatBase`). Measures
stand together, and a member repeats them for some seconds (`core.report_writer`): they are compared at once.
"""

from functools import lru_cache
from typing import Any, Required, TypedDict, cast

import msgspec

from ringway.protocol.backend_share import BackendShare
from ringway.protocol.decoding import reader
from ringway.protocol.directive import Directive
from ringway.protocol.report import Report
from ringway.types import Issuer, NodeName, NodeState


class ReportBeat(TypedDict, total=False):
    """The differences of a report from the introduction with the number `b`. What is left out is as in that one."""

    b: Required[int]
    # differences of whole numbers
    c: int  # connections
    p: int  # pending
    m: int  # connections_max
    k: int  # cooling
    u: int  # publications
    d: int  # deliveries
    a: int  # accepted
    x: int  # missed
    H: int  # handed_over
    N: int  # reconnected
    L: int  # lost
    A: int  # apart
    n: int  # nodes
    t: int  # takers
    f: int  # fence
    V: int  # wire_common
    # differences in steps (`SCALES`)
    r: int  # accept_per_s
    l: int  # drain_left_s  # noqa: E741 - a key on the wire
    # in steps: `MEASURES`, memory_bytes in units of `MEMORY_UNIT`, then the shares of utilisation as introduced
    E: tuple[int, ...]
    # values
    s: NodeState  # state
    e: bool  # engine_up
    w: float  # weight
    i: bool  # leading
    q: Directive | None  # directive
    v: tuple[NodeName, ...]  # drain_avoid
    j: tuple[NodeName, ...]  # gone
    W: str  # owners
    G: dict[str, str]  # group_owners
    K: str  # counted
    # entries that differ; 0 for an entry that is gone
    T: dict[int, int]  # taken, by the issuer as a number
    R: dict[NodeName, int]  # reserved
    M: dict[NodeName, int]  # moved
    C: dict[NodeName, int]  # coming
    X: dict[NodeName, int]  # misplaced
    B: dict[NodeName, BackendShare | None]  # held; None for a share that is gone


COUNTS = {
    "c": "connections", "p": "pending", "m": "connections_max", "k": "cooling", "u": "publications", "d": "deliveries",
    "a": "accepted", "x": "missed", "H": "handed_over", "N": "reconnected", "L": "lost", "A": "apart", "n": "nodes",
    "t": "takers", "f": "fence", "V": "wire_common",
}  # fmt: skip
"""The fields of whole numbers, by their key in a beat."""

SCALES = {"r": ("accept_per_s", 10), "l": ("drain_left_s", 1000)}
"""The rates and times by their key in a beat, each with the number of its steps in 1."""

MEASURES = {"handshake_p99_s": 100_000, "cpu": 1000, "loop_lag_s": 100_000}
"""The first measures in a beat, each with the number of its steps in 1."""

SHARE_SCALE = 1000
"""The same for the shares of `utilisation`."""

MEMORY_UNIT = 65_536

VALUES = {
    "s": "state",
    "e": "engine_up",
    "w": "weight",
    "i": "leading",
    "q": "directive",
    "v": "drain_avoid",
    "j": "gone",
    "W": "owners",
    "G": "group_owners",
    "K": "counted",
}
ENTRIES = {"R": "reserved", "M": "moved", "C": "coming", "X": "misplaced"}

_SENT = (
    {"seq", "memory_bytes", "utilisation", "taken", "held"}
    | set(COUNTS.values()) | {name for name, _ in SCALES.values()} | set(VALUES.values()) | set(ENTRIES.values())
    | set(MEASURES)
)  # fmt: skip
_FIXED = tuple(name for name in Report.__struct_fields__ if name not in _SENT)

_NOTHING = object()

ISSUERS_MAX = 16_384
"""Issuers whose texts are kept."""

encode_beat = msgspec.msgpack.Encoder().encode
decode_beat = reader(msgspec.msgpack.Decoder(ReportBeat).decode, "a beat")
"""Return the beat in the body given; raise `ProtocolError` if it cannot be read."""


def settle_steps(report: Report) -> Report:
    """Return `report` with its measures at whole steps."""
    scales = [*SCALES.values(), *MEASURES.items()]
    changes: dict[str, Any] = {name: round(getattr(report, name) * scale) / scale for name, scale in scales}
    changes["utilisation"] = {
        name: round(share * SHARE_SCALE) / SHARE_SCALE for name, share in report.utilisation.items()
    }
    changes["memory_bytes"] = report.memory_bytes // MEMORY_UNIT * MEMORY_UNIT
    return msgspec.structs.replace(report, **changes)


def repeat_measures(report: Report, last: Report) -> Report:
    """Return `report` with the measures of `last`."""
    measures: dict[str, Any] = {name: getattr(last, name) for name in MEASURES}
    return msgspec.structs.replace(report, memory_bytes=last.memory_bytes, utilisation=last.utilisation, **measures)


def make_beat(report: Report, base: Report) -> ReportBeat | None:
    """Return the differences of `report` from the introduction `base`; None if a beat cannot say them.

    Both are at whole steps. What a beat cannot say: another URL, version, zone or set of measured resources.
    """
    if any(getattr(report, name) != getattr(base, name) for name in _FIXED):
        return None
    if report.utilisation.keys() != base.utilisation.keys():
        return None
    beat: dict[str, Any] = {key: getattr(report, name) - getattr(base, name) for key, name in COUNTS.items()}
    for key, (name, scale) in SCALES.items():
        beat[key] = round(getattr(report, name) * scale) - round(getattr(base, name) * scale)
    measures = _measures_of(report, base)
    if measures != _measures_of(base, base):
        beat["E"] = measures
    beat["T"] = {int(issuer, 16): count for issuer, count in _changed(report.taken, base.taken).items()}
    for key, name in ENTRIES.items():
        beat[key] = _changed(getattr(report, name), getattr(base, name))
    if report.held or base.held:
        beat["B"] = {
            name: report.held.get(name)
            for name in report.held.keys() | base.held.keys()
            if report.held.get(name) != base.held.get(name)
        }
    beat = {"b": base.seq} | {key: difference for key, difference in beat.items() if difference}
    for key, name in VALUES.items():
        if getattr(report, name) != getattr(base, name):
            beat[key] = getattr(report, name)
    return cast(ReportBeat, beat)


class TakenCounts(dict[Issuer, int]):
    """The tickets that were redeemed, by a beat: a copy of those of its introduction, with what the beat says.

    To compare the counts of two beats on one introduction, compare only the entries of either beat.
    """

    __slots__ = ("introduced", "said")

    def __init__(self, introduced: dict[Issuer, int], said: dict[Issuer, int]) -> None:
        super().__init__(introduced)
        self.update(said)
        for issuer in [issuer for issuer, count in said.items() if not count]:
            del self[issuer]
        self.introduced = introduced
        self.said = said.keys()


class BeatBase:
    """An introduction on which beats build, with the last beat that was applied."""

    __slots__ = ("_last", "_said", "report")

    def __init__(self, report: Report) -> None:
        self.report = report
        self._said: ReportBeat = {"b": report.seq}
        self._last = report

    def apply(self, beat: ReportBeat, seq: int) -> Report:
        """Return the report with the number `seq` that `beat` says.

        Raise `ValueError` if the beat does not fit the introduction.
        """
        said, start = self._said, self._last
        if not said.keys() <= beat.keys():  # something is again as in the introduction
            said, start = {"b": beat["b"]}, self.report
        before, base = said.get, self.report
        changes: dict[str, Any] = {"seq": seq}
        for key, value in beat.items():
            if key in COUNTS:
                name = COUNTS[key]
                changes[name] = count = getattr(base, name) + value
                if count < 0:
                    raise ValueError(f"{name} is {count}")
            elif before(key, _NOTHING) != value:
                self._read(key, value, changes)
        self._said = beat
        self._last = report = msgspec.structs.replace(start, **changes)
        return report

    def _read(self, key: str, value: Any, changes: dict[str, Any]) -> None:
        """Add what `key` says to the changes."""
        base = self.report
        if key == "E":
            changes.update(_read_measures(value, base))
        elif key in SCALES:
            name, scale = SCALES[key]
            steps = round(getattr(base, name) * scale) + value
            if steps < 0:
                raise ValueError(f"{name} is {steps}")
            changes[name] = steps / scale
        elif key == "T":
            said = {_issuer(number): count for number, count in value.items()}
            changes["taken"] = TakenCounts(base.taken, said)
        elif key == "B":
            held = {**base.held, **value}
            changes["held"] = {name: share for name, share in held.items() if share is not None}
        elif key in ENTRIES:
            changes[ENTRIES[key]] = _with(getattr(base, ENTRIES[key]), value)
        elif key in VALUES:
            changes[VALUES[key]] = value


def _measures_of(report: Report, base: Report) -> tuple[int, ...]:
    """Return the measures of `report` in steps; the shares are in the order of those of `base`."""
    return (
        *(round(getattr(report, name) * scale) for name, scale in MEASURES.items()),
        report.memory_bytes // MEMORY_UNIT,
        *(round(report.utilisation[name] * SHARE_SCALE) for name in base.utilisation),
    )


def _read_measures(steps: tuple[int, ...], base: Report) -> dict[str, Any]:
    """Return the measures in a beat, by the names of their fields. Raise `ValueError` if they are none."""
    if len(steps) != len(MEASURES) + 1 + len(base.utilisation) or min(steps) < 0:
        raise ValueError(f"the measures are {steps}")
    measures: dict[str, Any] = {name: steps[at] / scale for at, (name, scale) in enumerate(MEASURES.items())}
    measures["memory_bytes"] = steps[len(MEASURES)] * MEMORY_UNIT
    shares = zip(base.utilisation, steps[len(MEASURES) + 1 :], strict=True)
    measures["utilisation"] = {name: share / SHARE_SCALE for name, share in shares}
    return measures


@lru_cache(ISSUERS_MAX)
def _issuer(number: int) -> Issuer:
    return Issuer(f"{number:08x}")


def _changed(new: dict[Any, int], old: dict[Any, int]) -> dict[Any, int]:
    changed = {key: count for key, count in new.items() if old.get(key) != count}
    changed.update({key: 0 for key in old if key not in new})
    return changed


def _with(old: dict[Any, int], entries: dict[Any, int]) -> dict[Any, int]:
    new = {**old, **entries}
    return {key: count for key, count in new.items() if count} if 0 in entries.values() else new
