"""Tickets; that nothing forged admits is in tests/property/test_ticket.py."""

import base64
import hmac

import pytest

from ringway.errors import Overloaded, TicketError
from ringway.protocol.keyring import Keyring, Purpose, derive_key
from ringway.protocol.ticket import (
    CLOCK_SKEW_S,
    NO_BEARER,
    TICKET_LENGTH,
    TICKET_TTL_S,
    TICKET_WAIT_S_MAX,
    NonceCache,
    TicketKind,
    TicketSigner,
)
from ringway.types import Issuer, NodeName

NODE = NodeName("node-1")
ISSUER = Issuer("0badcafe")
NONCE = bytes(range(8))
NOW = 1_700_000_000.0


@pytest.fixture
def signer() -> TicketSigner:
    return TicketSigner(Keyring(b"the cluster's secret"))


def test_a_ticket_admits_to_its_node(signer: TicketSigner) -> None:
    ticket = signer.issue(NODE, ISSUER, NONCE, NOW)
    assert signer.check(ticket, NODE, NOW) == (ISSUER, NONCE, TicketKind.PLACEMENT)


def test_a_ticket_is_text_for_urls_and_close_reasons(signer: TicketSigner) -> None:
    ticket = signer.issue(NODE, ISSUER, b"\xff" * 8, NOW)
    assert len(ticket) == TICKET_LENGTH
    assert ticket.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(("kind", "first"), [(TicketKind.PLACEMENT, b"\x02"), (TicketKind.MOVE, b"\x12")])
def test_the_layout_is_that_of_the_protocol(signer: TicketSigner, kind: TicketKind, first: bytes) -> None:
    """PROTOCOL.md P-5.2, step by step."""
    head = first + bytes.fromhex(ISSUER) + NONCE + int(NOW + TICKET_TTL_S).to_bytes(4, "big")
    key = derive_key(b"the cluster's secret", Purpose.TICKET)
    mac = hmac.digest(key, head + NODE.encode(), "sha256")[:16]
    ticket = base64.urlsafe_b64encode(head + mac).decode()
    assert signer.issue(NODE, ISSUER, NONCE, NOW, kind=kind) == ticket
    assert signer.check(ticket, NODE, NOW).kind is kind


def test_a_ticket_that_names_a_hand_over_admits_nobody(signer: TicketSigner) -> None:
    """PROTOCOL.md P-11.1.1."""
    ticket = signer.issue(NODE, NO_BEARER, NONCE, NOW, kind=TicketKind.MOVE)
    assert signer.check(ticket, NODE, NOW) == (NO_BEARER, NONCE, TicketKind.MOVE)
    with pytest.raises(TicketError, match="admits nobody"):
        signer.check_bearer(ticket, NODE, NOW)
    client = signer.issue(NODE, ISSUER, NONCE, NOW, kind=TicketKind.MOVE)
    assert signer.check_bearer(client, NODE, NOW) == (ISSUER, NONCE, TicketKind.MOVE)


@pytest.mark.parametrize("first", [b"\x01", b"\x03", b"\x22", b"\xf2"])
def test_a_genuine_ticket_of_another_version_or_kind_is_refused(signer: TicketSigner, first: bytes) -> None:
    head = first + bytes.fromhex(ISSUER) + NONCE + int(NOW + TICKET_TTL_S).to_bytes(4, "big")
    mac = hmac.digest(derive_key(b"the cluster's secret", Purpose.TICKET), head + NODE.encode(), "sha256")[:16]
    with pytest.raises(TicketError, match="upgrade the node"):
        signer.check(base64.urlsafe_b64encode(head + mac).decode(), NODE, NOW)


def test_another_node_refuses_it(signer: TicketSigner) -> None:
    with pytest.raises(TicketError, match="forged, or for another node than node-2"):
        signer.check(signer.issue(NODE, ISSUER, NONCE, NOW), NodeName("node-2"), NOW)


def test_another_secret_refuses_it(signer: TicketSigner) -> None:
    with pytest.raises(TicketError, match="forged"):
        TicketSigner(Keyring(b"another")).check(signer.issue(NODE, ISSUER, NONCE, NOW), NODE, NOW)


def test_while_the_secret_changes_tickets_of_both_are_accepted() -> None:
    ahead, behind = Keyring(b"new", previous=b"old"), Keyring(b"old")
    first, second = TicketSigner(ahead), TicketSigner(behind)
    old = second.issue(NODE, ISSUER, NONCE, NOW)
    assert first.check(old, NODE, NOW)[:2] == (ISSUER, NONCE)
    assert first.proves(second.prove(old, b"told"), old, b"told")
    with pytest.raises(TicketError, match="forged"):
        second.check(first.issue(NODE, ISSUER, NONCE, NOW), NODE, NOW)
    behind.replace(b"new", b"old")
    new = second.issue(NODE, ISSUER, NONCE, NOW)
    assert new == first.issue(NODE, ISSUER, NONCE, NOW)
    assert second.prove(new, b"told") == first.prove(new, b"told")
    ahead.replace(b"new")
    with pytest.raises(TicketError, match="forged"):
        first.check(old, NODE, NOW)


@pytest.mark.parametrize("late_s", [0.0, TICKET_TTL_S, TICKET_TTL_S + CLOCK_SKEW_S])
def test_it_admits_until_its_time_and_the_clocks_difference_are_over(signer: TicketSigner, late_s: float) -> None:
    signer.check(signer.issue(NODE, ISSUER, NONCE, NOW), NODE, NOW + late_s)


def test_an_expired_one_is_refused(signer: TicketSigner) -> None:
    with pytest.raises(TicketError, match="expired"):
        signer.check(signer.issue(NODE, ISSUER, NONCE, NOW), NODE, NOW + TICKET_TTL_S + CLOCK_SKEW_S + 0.1)


def test_one_from_too_far_in_the_future_is_refused(signer: TicketSigner) -> None:
    """Its bearer may have been told to wait; then it was issued for when the wait ends."""
    early_s = TICKET_WAIT_S_MAX + CLOCK_SKEW_S
    signer.check(signer.issue(NODE, ISSUER, NONCE, NOW), NODE, NOW - early_s)
    with pytest.raises(TicketError, match="future"):
        signer.check(signer.issue(NODE, ISSUER, NONCE, NOW), NODE, NOW - early_s - 0.1)


@pytest.mark.parametrize("text", ["", "x", "AQ==", "=" * 44, "A" * 43, "A" * 45, "é" * 44, " " * 44, "A" * 4400])
def test_what_is_no_ticket_is_refused(signer: TicketSigner, text: str) -> None:
    with pytest.raises(TicketError):
        signer.check(text, NODE, NOW)


def test_no_error_repeats_the_ticket(signer: TicketSigner) -> None:
    ticket = signer.issue(NODE, ISSUER, NONCE, NOW)
    for node, now in ((NodeName("other"), NOW), (NODE, NOW + 99), (NODE, NOW - 99)):
        with pytest.raises(TicketError) as caught:
            signer.check(ticket, node, now)
        assert ticket not in str(caught.value)


def test_a_nonce_is_spent_once() -> None:
    nonces = NonceCache()
    nonces.redeem(NONCE, NOW)
    with pytest.raises(TicketError, match="used before"):
        nonces.redeem(NONCE, NOW + 1)


def test_a_nonce_is_kept_as_long_as_its_ticket_could_be_good(signer: TicketSigner) -> None:
    """Shown to a node whose clock is behind, then until the last moment in which it is still accepted."""
    ticket = signer.issue(NODE, ISSUER, NONCE, NOW)
    nonces = NonceCache()
    first, last = NOW - CLOCK_SKEW_S, NOW + TICKET_TTL_S + CLOCK_SKEW_S
    nonces.redeem(signer.check(ticket, NODE, first)[1], first)
    nonce = signer.check(ticket, NODE, last)[1]
    with pytest.raises(TicketError, match="used before"):
        nonces.redeem(nonce, last)


def test_spent_nonces_are_forgotten_in_time() -> None:
    nonces = NonceCache(keep_s=20.0, size_max=2)
    nonces.redeem(b"1", 0.0)
    nonces.redeem(b"2", 0.0)
    nonces.redeem(b"3", 20.0)


def test_a_full_memory_admits_nobody() -> None:
    nonces = NonceCache(keep_s=20.0, size_max=2)
    nonces.redeem(b"1", 0.0)
    nonces.redeem(b"2", 0.0)
    with pytest.raises(Overloaded, match="redeemed tickets of 2 reached"):
        nonces.redeem(b"3", 1.0)
    with pytest.raises(TicketError):
        nonces.redeem(b"1", 1.0)
