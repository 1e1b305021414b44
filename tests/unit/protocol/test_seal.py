"""Tests of `ringway.protocol.seal`."""

import pytest

from ringway.protocol.keyring import Keyring, Purpose
from ringway.protocol.seal import (
    AGE_S_MAX,
    BODY_AT,
    SealedMessage,
    Sealer,
    SealError,
    SealFault,
    UnknownVersion,
    Unsealer,
    check_time,
    sent_ms,
)
from ringway.types import Incarnation

ORIGIN = Incarnation("0badcafe")
NOW = 1_790_000_000.25


def sealer(secret: bytes = b"secret", purpose: Purpose = Purpose.REPORT) -> Sealer:
    return Sealer(Keyring(secret), purpose, ORIGIN, lambda: NOW)


def unsealer(*secrets: bytes) -> Unsealer:
    return Unsealer(Keyring(*(secrets or (b"secret",))), Purpose.REPORT)


def fault_of(raw: bytes, context: bytes = b"node-1", by: Unsealer | None = None) -> SealFault:
    with pytest.raises(SealError) as raised:
        (by or unsealer()).unseal(context, raw)
    return raised.value.fault


def test_what_is_sealed_is_opened_with_sender_number_and_time() -> None:
    messages = sealer()
    messages.seal(1, b"node-1", b"before")
    assert unsealer().unseal(b"node-1", messages.seal(7, b"node-1", b"body")) == SealedMessage(
        2, 7, ORIGIN, 2, NOW, b"body"
    )


def test_the_time_is_read_in_place() -> None:
    assert sent_ms(sealer().seal(1, b"n1", b"")) == NOW * 1000


def test_it_is_believed_only_from_where_it_was_sent_for() -> None:
    raw = sealer().seal(1, b"node-1", b"body")
    assert fault_of(raw, b"node-2") is SealFault.FORGED
    assert fault_of(raw, by=Unsealer(Keyring(b"secret"), Purpose.BUS)) is SealFault.FORGED
    assert fault_of(raw, by=unsealer(b"another")) is SealFault.FORGED


def test_no_byte_of_it_can_be_changed() -> None:
    raw = sealer().seal(1, b"node-1", b"body")
    for at in range(len(raw)):
        assert fault_of(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]) in (SealFault.FORGED, SealFault.UNSEALED)


@pytest.mark.parametrize("raw", [b"", b"{}", b'{"name":"node-1"' + bytes(60), b"p" + bytes(60), bytes(60), b"\2" * 35])
def test_messages_of_version_1_and_noise_are_not_sealed(raw: bytes) -> None:
    assert fault_of(raw) is SealFault.UNSEALED


def test_the_previous_secret_is_accepted_and_the_current_signs() -> None:
    ring = Keyring(b"old")
    messages, reader = Sealer(ring, Purpose.REPORT, ORIGIN, lambda: NOW), Unsealer(ring, Purpose.REPORT)
    before = messages.seal(1, b"", b"")
    ring.replace(b"new", b"old")
    assert reader.unseal(b"", before).number == 1
    assert unsealer(b"new").unseal(b"", messages.seal(1, b"", b"")).number == 2
    ring.replace(b"new")
    assert fault_of(before, b"", reader) is SealFault.FORGED


def test_messages_from_one_context_are_proven_again_and_again_by_the_secrets_of_the_moment() -> None:
    ring = Keyring(b"old")
    messages, reader = Sealer(ring, Purpose.REPORT, ORIGIN, lambda: NOW), Unsealer(ring, Purpose.REPORT)
    first, second = messages.seal(1, b"node-1", b""), messages.seal(1, b"node-1", b"body")
    for raw in (first, second, second):
        reader.prove(b"node-1", raw)
    with pytest.raises(SealError, match="not sealed with the cluster's secret"):
        reader.prove(b"node-1", second[:-1] + b"Y")
    with pytest.raises(SealError, match="35 bytes"):
        reader.prove(b"node-1", second[:35])
    with pytest.raises(SealError, match="not sealed with the cluster's secret"):
        reader.prove(b"node-2", second)
    ring.replace(b"new", b"old")
    third = messages.seal(1, b"node-1", b"")
    for raw in (third, second, third):
        reader.prove(b"node-1", raw)
    ring.replace(b"new")
    reader.prove(b"node-1", third)
    with pytest.raises(SealError, match="not sealed with the cluster's secret"):
        reader.prove(b"node-1", second)


def test_contexts_above_the_maximum_are_proven_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringway.protocol.seal.CONTEXTS_MAX", 2)
    messages, reader = sealer(), unsealer()
    for context in (b"n1", b"n2", b"n3", b"n1", b"n1"):
        reader.prove(context, messages.seal(1, context, b"body"))


def test_another_version_is_proven_and_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringway.protocol.seal.WIRE_VERSION", 9)
    with pytest.raises(UnknownVersion, match="speaks wire version 9, this cluster reads 2 to 2; upgrade") as raised:
        unsealer().unseal(b"node-1", sealer().seal(1, b"node-1", b"body"))
    assert raised.value.sealed.origin == ORIGIN
    assert raised.value.fault is SealFault.VERSION


def test_the_time_may_differ_by_two_minutes_whatever_the_cause() -> None:
    sealed = unsealer().unseal(b"", sealer().seal(1, b"", b""))
    for now in (NOW - AGE_S_MAX, NOW, NOW + AGE_S_MAX):
        check_time(sealed, now)
    for now in (NOW - AGE_S_MAX - 1, NOW + AGE_S_MAX + 1):
        with pytest.raises(SealError, match="clock"):
            check_time(sealed, now)


def test_the_body_begins_after_head_and_proof() -> None:
    assert sealer().seal(1, b"", b"body")[BODY_AT:] == b"body"
