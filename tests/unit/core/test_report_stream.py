"""Tests of `ringway.core.report_writer` and `ringway.core.report_reader` together."""

from random import Random

import msgspec
import pytest

from ringway.core.report_reader import MemberLeaves, MissingIntroductionError, ReportReader
from ringway.core.report_writer import ANSWER_S, ANSWERS_BURST, INTRODUCE_S, ReportWriter
from ringway.core.reporting import MEASURES_S
from ringway.protocol.keyring import Keyring, Purpose
from ringway.protocol.report import BEAT, INTRODUCTION, Report
from ringway.protocol.seal import Sealer, SealError, Unsealer
from ringway.types import Incarnation, Issuer, NodeName
from sample import node_report

RING = Keyring(b"secret")
N1 = NodeName("n1")
NOW = 1.79e9


def writer() -> ReportWriter:
    return ReportWriter(N1, Sealer(RING, Purpose.REPORT, node_report("n1").incarnation, lambda: NOW), Random(1))


def reader() -> ReportReader:
    return ReportReader(Unsealer(RING, Purpose.REPORT))


def kind_of(raw: bytes) -> int:
    return raw[1]


def read(by: ReportReader, raw: bytes) -> Report | MemberLeaves:
    return by.read(N1, raw, NOW)[0]


def test_the_first_report_is_an_introduction_and_the_next_are_beats() -> None:
    member, heard = writer(), reader()
    sent = [member.write(node_report("n1", connections=count), count) for count in range(5)]
    assert [kind_of(raw) for raw in sent] == [INTRODUCTION, BEAT, BEAT, BEAT, BEAT]
    assert [read(heard, raw) for raw in sent] == [node_report("n1", count + 1, connections=count) for count in range(5)]
    assert member.last == node_report("n1", 5, connections=4)


def test_beats_may_be_lost() -> None:
    member, heard = writer(), reader()
    sent = [member.write(node_report("n1", connections=count), count) for count in range(5)]
    assert read(heard, sent[0]) == node_report("n1", 1, connections=0)
    assert read(heard, sent[4]) == node_report("n1", 5, connections=4)
    with pytest.raises(SealError, match="came again, or too late"):
        read(heard, sent[3])


def test_an_introduction_comes_when_it_is_asked_for_and_after_its_time() -> None:
    member = writer()
    member.write(node_report("n1"), 0.0)
    assert kind_of(member.write(node_report("n1"), 1.0)) == BEAT
    member.on_asked(1.0)
    assert member.is_asked
    assert kind_of(member.write(node_report("n1"), 2.0)) == INTRODUCTION
    assert not member.is_asked
    assert kind_of(member.write(node_report("n1"), 3.0)) == BEAT
    assert kind_of(member.write(node_report("n1"), 2.0 + 1.2 * INTRODUCE_S)) == INTRODUCTION


def test_measures_are_repeated_for_some_seconds_unless_they_have_changed_much() -> None:
    member, heard = writer(), reader()

    def told(now: float, cpu: float, connections: int) -> tuple[float, int]:
        report = read(heard, member.write(node_report("n1", cpu=cpu, connections=connections), now))
        assert isinstance(report, Report)
        assert report == member.last
        return report.cpu, report.connections

    assert told(0.0, 0.20, 1) == (0.20, 1)
    assert told(1.0, 0.25, 2) == (0.20, 2)
    assert told(MEASURES_S - 0.1, 0.22, 3) == (0.20, 3)
    assert told(MEASURES_S, 0.23, 4) == (0.23, 4)
    assert told(MEASURES_S + 1, 0.50, 5) == (0.50, 5)
    assert told(MEASURES_S + 2, 0.45, 6) == (0.50, 6)
    member.on_asked(0.0)
    assert told(MEASURES_S + 3, 0.46, 7) == (0.46, 7)


def test_a_long_beat_becomes_an_introduction() -> None:
    member = writer()
    member.write(node_report("n1"), 0.0)
    taken = {Issuer(f"{number:08x}"): 1 for number in range(0xF0000000, 0xF0000064)}
    assert kind_of(member.write(node_report("n1", taken=taken), 1.0)) == INTRODUCTION
    assert kind_of(member.write(node_report("n1", taken=dict.fromkeys(taken, 2)), 2.0)) == INTRODUCTION
    assert kind_of(member.write(node_report("n1", taken={**taken, Issuer("0000beef"): 1}), 3.0)) == INTRODUCTION
    member.write(node_report("n1", taken=taken), 4.0)
    assert kind_of(member.write(node_report("n1", taken={**taken, Issuer("f0000001"): 5}), 5.0)) == BEAT


def test_another_url_needs_an_introduction() -> None:
    member = writer()
    member.write(node_report("n1"), 0.0)
    assert kind_of(member.write(node_report("n1", zone="b"), 1.0)) == INTRODUCTION


def test_who_missed_the_introduction_reads_nothing_until_the_next() -> None:
    member, late = writer(), reader()
    member.write(node_report("n1"), 0.0)
    with pytest.raises(MissingIntroductionError):
        read(late, member.write(node_report("n1", connections=1), 1.0))
    member.on_asked(1.0)
    read(late, member.write(node_report("n1", connections=1), 2.0))
    assert read(late, member.write(node_report("n1", connections=2), 3.0)) == node_report("n1", 4, connections=2)


def test_a_member_says_that_it_leaves_and_is_remembered_by_its_number() -> None:
    member, heard = writer(), reader()
    first = member.write(node_report("n1"), 0.0)
    read(heard, first)
    last = member.write_leave()
    assert read(heard, last) == MemberLeaves(N1, node_report("n1").incarnation)
    heard.forget(N1, node_report("n1").incarnation)
    for raw in (first, last):
        with pytest.raises(SealError, match="came again"):
            read(heard, raw)
    with pytest.raises(MissingIntroductionError):
        read(heard, member.write(node_report("n1"), 1.0))


def test_a_report_under_the_name_of_another_member_is_not_read() -> None:
    said = node_report("n2")
    raw = ReportWriter(N1, Sealer(RING, Purpose.REPORT, said.incarnation, lambda: NOW), Random(1)).write(said, 0.0)
    with pytest.raises(SealError, match="it is the report of n2"):
        read(reader(), raw)


def test_an_unknown_kind_is_not_read() -> None:
    sealer = Sealer(RING, Purpose.REPORT, node_report("n1").incarnation, lambda: NOW)
    with pytest.raises(SealError, match="unknown kind 77; upgrade"):
        read(reader(), sealer.seal(77, b"n1", b""))


def test_a_fence_is_as_large_as_engines_give_them() -> None:
    by_nats = 1_796_033_000_000_000_000  # nanoseconds of Unix time (`engine.nats.lease`)
    member, heard = writer(), reader()
    for fence in (by_nats, 0, by_nats + 1):
        report = read(heard, member.write(node_report("n1", fence=fence), 1.0))
        assert isinstance(report, Report)
        assert report.fence == fence


def test_a_flood_of_questions_costs_few_introductions() -> None:
    member = writer()
    kinds = []
    for step in range(500):  # five questions a second, each before a report
        member.on_asked(step / 5)
        kinds.append(kind_of(member.write(node_report("n1"), step / 5)))
    assert kinds[:ANSWERS_BURST] == [INTRODUCTION] * ANSWERS_BURST
    assert kinds.count(INTRODUCTION) <= ANSWERS_BURST + 100 / ANSWER_S + 1
    member.on_asked(100.0 + 2 * ANSWER_S)
    assert member.is_asked


def sent_by(incarnation: str, at: float) -> bytes:
    sealer = Sealer(RING, Purpose.REPORT, Incarnation(incarnation), lambda: at)
    report = msgspec.structs.replace(node_report("n1"), incarnation=Incarnation(incarnation))
    return ReportWriter(N1, sealer, Random(1)).write(report, 0.0)


def test_a_recorded_report_of_an_earlier_run_takes_no_name_from_the_live_one() -> None:
    earlier, lives, heard = sent_by("aaaaaaaa", NOW - 60), sent_by("bbbbbbbb", NOW - 1), reader()
    read(heard, lives)
    with pytest.raises(SealError, match="earlier process"):
        read(heard, earlier)
    successor = read(heard, sent_by("cccccccc", NOW))
    assert isinstance(successor, Report)
    assert successor.incarnation == "cccccccc"


def test_a_successor_with_a_clock_behind_is_heard_when_the_member_before_it_is_gone() -> None:
    heard = reader()
    read(heard, sent_by("aaaaaaaa", NOW))
    with pytest.raises(SealError, match="set its clock"):
        read(heard, sent_by("bbbbbbbb", NOW - 30))
    heard.forget(N1, Incarnation("aaaaaaaa"))
    assert isinstance(read(heard, sent_by("bbbbbbbb", NOW - 29)), Report)
