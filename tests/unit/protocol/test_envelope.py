"""Envelopes of messages on channels: their heads, and what becomes of their objects."""

import pytest

from ringway.errors import ProtocolError
from ringway.protocol.envelope import (
    ANSWER,
    JOIN,
    KIND_AT,
    LEAVE,
    ORIGIN,
    PUBLICATION,
    QUESTION,
    SENT_MS,
    SEQ,
    Envelope,
    Origin,
    answer_context,
    body_of,
    is_sound,
    open_envelope,
)
from ringway.protocol.keyring import Keyring, Purpose
from ringway.protocol.seal import BODY_AT, SealError, Unsealer
from ringway.types import Channel, Incarnation

KEYRING = Keyring(b"a secret of tests")
ROOM = Channel("room:é 1")


@pytest.fixture
def origin() -> Origin:
    return Origin(KEYRING, Incarnation("0a0b0c0d"), lambda: 1.5)


def test_a_head_has_kind_origin_a_growing_number_and_the_time(origin: Origin) -> None:  # P-10.1
    sealed = [origin.seal(kind, ROOM, b'{"data":1}') for kind in (PUBLICATION, JOIN, LEAVE)]
    assert bytes(payload[KIND_AT] for payload in sealed) == b"pjl"
    assert {payload[ORIGIN] for payload in sealed} == {b"\x0a\x0b\x0c\x0d"} == {origin.node}
    assert [int.from_bytes(payload[SEQ], "big") for payload in sealed] == [1, 2, 3]
    assert {int.from_bytes(payload[SENT_MS], "big") for payload in sealed} == {1500}
    assert {payload[BODY_AT:] for payload in sealed} == {b'{"data":1}'}


def test_a_message_is_proven_on_its_channel_alone(origin: Origin) -> None:
    payload = origin.seal(PUBLICATION, ROOM, b'{"data":1}')
    unsealer = Unsealer(KEYRING, Purpose.PUBLICATION)
    unsealer.prove(ROOM.encode(), payload)
    with pytest.raises(SealError):
        unsealer.prove(b"room:2", payload)


def test_an_answer_is_proven_for_its_question_alone(origin: Origin) -> None:
    asked = Envelope(b"\1\2\3\4", 7, b"{}")
    payload = origin.seal_answer(ROOM, asked, b"{}")
    unsealer = Unsealer(KEYRING, Purpose.PUBLICATION)
    unsealer.prove(answer_context(ROOM, b"\1\2\3\4", 7), payload)
    for context in (answer_context(ROOM, b"\1\2\3\4", 8), answer_context(ROOM, b"\1\2\3\5", 7), ROOM.encode()):
        with pytest.raises(SealError):
            unsealer.prove(context, payload)


def test_the_offset_is_put_in_where_there_is_one(origin: Origin) -> None:
    payload = origin.seal(PUBLICATION, ROOM, b'{"data":1}')
    assert body_of(payload, 0) == b'{"data":1}'
    assert body_of(payload, 42) == b'{"offset":42,"data":1}'


@pytest.mark.parametrize(
    ("body", "sound"),
    [(b'{"data":1}', True), (b"{}", False), (b"", False), (b"[1]", False), (b'{"data":\n1}', False)],
)
def test_a_payload_that_would_break_a_frame_is_not_sound(origin: Origin, body: bytes, *, sound: bool) -> None:
    payload = origin.seal(PUBLICATION, ROOM, body)
    assert is_sound(payload) is sound
    assert not is_sound(payload[:1] + b"?" + payload[2:])
    assert not is_sound(b"")


@pytest.mark.parametrize("kind", [QUESTION, ANSWER])
def test_questions_and_answers_are_for_nodes_alone(origin: Origin, kind: int) -> None:  # P-10.1.1
    payload = origin.seal(kind, ROOM, b'{"channel":"c"}')
    assert not is_sound(payload)
    assert open_envelope(payload, kind) == (origin.node, 1, b'{"channel":"c"}')


@pytest.mark.parametrize("bad", [b"", b"\2q", b"\2q" + bytes(34), b"\2p" + bytes(40), b"\2a" + bytes(40), bytes(40)])
def test_a_message_that_is_no_question_is_refused(bad: bytes) -> None:
    with pytest.raises(ProtocolError, match="is not of the kind q"):
        open_envelope(bad, QUESTION)


def test_many_are_sealed_as_each_alone(origin: Origin) -> None:  # P-10.1
    twin = Origin(KEYRING, Incarnation("0a0b0c0d"), lambda: 1.5)
    messages = [(ROOM, b'{"data":1}'), (Channel("other"), b'{"data":1}'), (ROOM, b'{"data":2}')]
    assert origin.seal_many(PUBLICATION, messages) == [twin.seal(PUBLICATION, *message) for message in messages]
    assert origin.seal(PUBLICATION, *messages[0]) == twin.seal(PUBLICATION, *messages[0])
