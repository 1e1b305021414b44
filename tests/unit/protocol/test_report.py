"""Reports on the wire."""

import msgspec
import pytest

from ringway.errors import ProtocolError
from ringway.protocol.report import decode_introduction, encode_introduction
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
    assert decode_introduction(encode_introduction(report)) == report  # type: ignore[arg-type]


def test_what_has_its_usual_value_is_not_sent() -> None:
    raw = encode_introduction(node_report("n1"))
    assert b"weight" not in raw
    assert b"taken" not in raw
    assert len(raw) < 120


def test_a_weight_of_zero_is_told() -> None:
    assert decode_introduction(encode_introduction(node_report("n1", weight=0))).weight == 0


def test_unknown_fields_of_a_newer_member_are_skipped() -> None:
    fields = msgspec.msgpack.decode(encode_introduction(FULL))
    newer = msgspec.msgpack.encode({**fields, "temperature": 36.6, "list": [1, {}]})
    assert decode_introduction(newer) == FULL


GOOD = msgspec.msgpack.decode(encode_introduction(FULL))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"\xff\xfe",
        b'{"name":"n1"}',
        *(
            msgspec.msgpack.encode(value)
            for value in (
                None, [], {}, {**GOOD, "role": "king"}, {**GOOD, "connections": -1}, {**GOOD, "weight": -0.5},
                {**GOOD, "taken": [1]}, {**GOOD, "reserved": {"n2": -1}}, {**GOOD, "state": "asleep"},
            )
        ),
    ],
)  # fmt: skip
def test_what_is_no_report_is_refused(raw: bytes) -> None:
    with pytest.raises(ProtocolError, match="a report cannot be read"):
        decode_introduction(raw)
