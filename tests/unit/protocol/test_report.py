"""Reports on the wire."""

import pytest

from ringway.errors import ProtocolError
from ringway.protocol.report import decode_report, encode_report
from ringway.types import Issuer, NodeName
from sample import gateway_report, node_report

FULL = node_report(
    "n1",
    42,
    draining=True,
    weight=2.5,
    zone="b",
    connections=10,
    pending=3,
    connections_max=100,
    cooling=4,
    drain_left_s=12.5,
    accept_per_s=120.5,
    handshake_p99_s=0.02,
    utilisation={"cpu": 0.5, "egress": 1.5},
    missed=2,
    taken={Issuer("aaaaaaaa"): 7},
    reserved={NodeName("n2"): 1},
    moved={NodeName("n2"): 9},
)


@pytest.mark.parametrize("report", [FULL, node_report("n1"), gateway_report("g1", leading=True)])
def test_what_is_encoded_is_decoded(report: object) -> None:
    assert decode_report(encode_report(report)) == report  # type: ignore[arg-type]


def test_what_has_its_usual_value_is_not_sent() -> None:
    raw = encode_report(node_report("n1"))
    assert b"weight" not in raw
    assert b"taken" not in raw
    assert len(raw) < 120


def test_a_weight_of_zero_is_told() -> None:
    assert decode_report(encode_report(node_report("n1", weight=0))).weight == 0


def test_unknown_fields_of_a_newer_member_are_skipped() -> None:
    raw = encode_report(FULL)
    assert decode_report(raw[:-1] + b',"temperature":36.6,"list":[1,{}]}') == FULL


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b'{"name":"n1"',
        encode_report(FULL).replace(b'"role":"node"', b'"role":"king"'),
        encode_report(FULL).replace(b'"state":"draining"', b'"state":"asleep"'),
        encode_report(FULL).replace(b'"seq":42', b'"seq":"42"'),
        encode_report(FULL).replace(b'"weight":2.5', b'"weight":-1'),
        encode_report(FULL).replace(b'"missed":2', b'"missed":-2'),
    ],
)
def test_what_is_no_report_is_refused(raw: bytes) -> None:
    with pytest.raises(ProtocolError, match="a report cannot be read"):
        decode_report(raw)


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (b'"weight":2.5', b'"weight":-1'),
        (b'"weight":2.5', b'"weight":null'),
        (b'"connections":10', b'"connections":-1'),
        (b'"pending":3', b'"pending":-3'),
        (b'"reserved":{"n2":1}', b'"reserved":{"n2":-1}'),
    ],
)
def test_counts_and_weights_that_would_upset_placement_are_refused(good: bytes, bad: bytes) -> None:
    raw = encode_report(FULL)
    assert good in raw
    with pytest.raises(ProtocolError):
        decode_report(raw.replace(good, bad))
