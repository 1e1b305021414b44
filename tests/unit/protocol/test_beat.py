"""Tests of `ringway.protocol.beat`: with its introduction, a beat gives the whole report."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringway.errors import ProtocolError
from ringway.protocol.backend_share import BackendShare
from ringway.protocol.beat import BeatBase, decode_beat, encode_beat, make_beat, settle_steps
from ringway.protocol.directive import Directive
from ringway.protocol.report import Report, encode_introduction
from ringway.protocol.seal import BODY_AT
from ringway.types import Incarnation, Issuer, NodeName, NodeState, Role

COUNT = st.integers(0, 2**50)
SHARE = st.floats(0, 1e4, allow_nan=False)
NAMES = st.sampled_from([NodeName(name) for name in ("n1", "n-2", "a.b", "x" * 63)])
ISSUERS = st.integers(0, 2**32 - 1).map(lambda number: Issuer(f"{number:08x}"))
POSITIVE = st.integers(1, 2**50)
HELD = st.builds(
    BackendShare,
    incarnation=st.sampled_from([Incarnation("0badcafe"), Incarnation("00000001")]),
    version=COUNT,
    state=st.sampled_from(NodeState),
    drain_left_s=SHARE,
    connections=COUNT,
    leaving=COUNT,
    taken=st.dictionaries(ISSUERS, POSITIVE, max_size=2),
    moved=st.dictionaries(NAMES, POSITIVE, max_size=2),
)

REPORTS = st.builds(
    Report,
    name=st.just(NodeName("n1")),
    incarnation=st.just(Incarnation("0badcafe")),
    role=st.just(Role.NODE),
    seq=COUNT,
    url=st.just("ws://10.0.0.1:8000"),
    engine_up=st.booleans(),
    weight=st.floats(0, 100),
    state=st.sampled_from(NodeState),
    connections=COUNT,
    pending=COUNT,
    connections_max=COUNT,
    cooling=COUNT,
    drain_left_s=SHARE,
    drain_avoid=st.lists(NAMES, max_size=3).map(tuple),
    accept_per_s=SHARE,
    handshake_p99_s=SHARE,
    utilisation=st.fixed_dictionaries({"cpu": SHARE, "memory": SHARE}),
    cpu=SHARE,
    memory_bytes=COUNT,
    loop_lag_s=SHARE,
    publications=COUNT,
    deliveries=COUNT,
    accepted=COUNT,
    taken=st.dictionaries(ISSUERS, POSITIVE, max_size=3),
    reserved=st.dictionaries(NAMES, POSITIVE, max_size=3),
    moved=st.dictionaries(NAMES, POSITIVE, max_size=3),
    missed=COUNT,
    leading=st.booleans(),
    directive=st.none() | st.builds(Directive, version=st.integers(0, 100), policy=st.sampled_from(["", "ring"])),
    fence=COUNT,
    nodes=COUNT,
    takers=COUNT,
    coming=st.dictionaries(NAMES, POSITIVE, max_size=3),
    held=st.dictionaries(NAMES, HELD, max_size=3),
).map(settle_steps)


VARIED = [name for name in Report.__struct_fields__ if name not in ("name", "incarnation", "role", "seq", "url")]


@given(REPORTS, REPORTS)
def test_a_beat_and_its_introduction_give_the_whole_report(base: Report, report: Report) -> None:
    beat = make_beat(report, base)
    assert beat is not None
    assert BeatBase(base).apply(decode_beat(encode_beat(beat)), report.seq) == report


@given(REPORTS, st.lists(REPORTS, min_size=2, max_size=6))
def test_a_beat_gives_the_same_whatever_was_said_before(base: Report, reports: list[Report]) -> None:
    known = BeatBase(base)
    for report in reports:
        changed = {name: getattr(report, name) for name in VARIED if (report.seq + len(name)) % 3}
        report = msgspec.structs.replace(base, seq=report.seq, **changed)
        beat = make_beat(report, base)
        assert beat is not None
        assert known.apply(decode_beat(encode_beat(beat)), report.seq) == report


@given(REPORTS)
def test_whole_steps_stay_as_they_are(report: Report) -> None:
    assert settle_steps(report) == report


def busy(**fields: object) -> Report:
    report = Report(
        name=NodeName("node-17"), incarnation=Incarnation("0badcafe"), role=Role.NODE, seq=1000, url="ws://10.1.2.3:9101",
        connections=50_000, utilisation=dict.fromkeys(("cpu", "memory", "loop_lag", "egress", "files"), 0.31), cpu=0.2,
        memory_bytes=10**9, publications=10**6, deliveries=10**9, accepted=10**5, loop_lag_s=0.001, accept_per_s=500,
        handshake_p99_s=0.01,
    )  # fmt: skip
    return settle_steps(msgspec.structs.replace(report, **fields))


def test_a_calm_beat_has_120_bytes_at_most_when_it_is_sealed() -> None:
    later = busy(
        seq=1030, connections=50_321, pending=3, cooling=2, cpu=0.27, memory_bytes=10**9 + 10**7, loop_lag_s=0.00234,
        publications=10**6 + 30_000, deliveries=10**9 + 10**8, accepted=10**5 + 900, accept_per_s=510.5,
        handshake_p99_s=0.01234, utilisation=dict.fromkeys(("cpu", "memory", "loop_lag", "egress", "files"), 0.617),
    )  # fmt: skip
    beat = make_beat(later, busy())
    assert beat is not None
    assert BODY_AT + len(encode_beat(beat)) <= 120
    assert BODY_AT + len(encode_introduction(busy())) > 300


@pytest.mark.parametrize(
    "changed",
    [{"url": "ws://10.1.2.4:9101"}, {"version": "9"}, {"zone": "b"}, {"utilisation": {"cpu": 0.31}}, {"wire_max": 3}],
)
def test_what_a_beat_cannot_say_needs_an_introduction(changed: dict[str, object]) -> None:
    assert make_beat(busy(**changed), busy()) is None


def test_a_beat_that_does_not_fit_its_introduction_is_an_error() -> None:
    with pytest.raises(ValueError, match="connections is -1"):
        BeatBase(busy()).apply({"b": 1000, "c": -50_001}, 1001)
    with pytest.raises(ValueError, match="accept_per_s is -10"):
        BeatBase(busy()).apply({"b": 1000, "r": -5010}, 1001)
    for measures in ((), (1, 2, 3, 4), (1, 2, 3, 4, 5, 6, 7, 8, -9)):
        with pytest.raises(ValueError, match="the measures are"):
            BeatBase(busy()).apply({"b": 1000, "E": measures}, 1001)
    known = BeatBase(busy())
    with pytest.raises(ValueError, match="connections is -1"):
        known.apply({"b": 1000, "a": 1, "c": -50_001}, 1001)
    assert known.apply({"b": 1000, "a": 1}, 1002).accepted == 100_001


def test_unknown_keys_of_a_newer_member_are_skipped() -> None:
    assert decode_beat(msgspec.msgpack.encode({"b": 7, "c": 1, "new": [1]})) == {"b": 7, "c": 1}


@pytest.mark.parametrize("raw", [b"", b"\xc1", b"{}", msgspec.msgpack.encode({}), msgspec.msgpack.encode({"b": "7"})])
def test_what_is_no_beat_is_refused(raw: bytes) -> None:
    with pytest.raises(ProtocolError, match="a beat cannot be read"):
        decode_beat(raw)
