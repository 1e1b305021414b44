"""Nothing but a genuine, timely, unused ticket for this very node admits."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringway.errors import TicketError
from ringway.protocol.keyring import Keyring
from ringway.protocol.move import Move, read_move
from ringway.protocol.ticket import CLOCK_SKEW_S, TICKET_LENGTH, TICKET_TTL_S, NonceCache, TicketKind, TicketSigner
from ringway.types import Issuer, NodeName

NODE = NodeName("node-1")
NOW = 1_700_000_000.0
SIGNER = TicketSigner(Keyring(b"secret"))

nodes = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", fullmatch=True).map(NodeName)
issuers = st.binary(min_size=4, max_size=4).map(lambda raw: Issuer(raw.hex()))
nonces = st.binary(min_size=8, max_size=8)
times = st.floats(1_000_000_000, 4_000_000_000)


@given(nodes, issuers, nonces, times, st.sampled_from(TicketKind))
def test_a_ticket_says_who_issued_it_and_what_for_wherever_it_has_been(
    node: NodeName, issuer: Issuer, nonce: bytes, now: float, kind: TicketKind
) -> None:
    ticket = SIGNER.issue(node, issuer, nonce, now, kind=kind)
    assert len(ticket) == TICKET_LENGTH
    assert SIGNER.check(ticket, node, now) == (issuer, nonce, kind)
    move = read_move(Move(node, ticket).reason())
    assert move is not None
    assert SIGNER.check(move.ticket, move.node, now) == (issuer, nonce, kind)


@pytest.mark.parametrize("bit", range(33 * 8))
def test_no_ticket_with_a_flipped_bit_admits(bit: int) -> None:
    raw = bytearray(urlsafe_b64decode(SIGNER.issue(NODE, Issuer("0badcafe"), bytes(8), NOW)))
    raw[bit // 8] ^= 1 << bit % 8
    with pytest.raises(TicketError):
        SIGNER.check(urlsafe_b64encode(raw).decode(), NODE, NOW)


@given(st.text(max_size=60))
def test_no_text_admits(text: str) -> None:
    with pytest.raises(TicketError):
        SIGNER.check(text, NODE, NOW)


@given(st.integers(0, 43), st.characters(codec="ascii"))
def test_no_ticket_with_another_character_admits(position: int, character: str) -> None:
    ticket = SIGNER.issue(NODE, Issuer("0badcafe"), bytes(range(8)), NOW)
    if ticket[position] == character:
        return
    with pytest.raises(TicketError):
        SIGNER.check(ticket[:position] + character + ticket[position + 1 :], NODE, NOW)


@given(nodes, nodes, issuers, nonces)
def test_only_the_named_node_admits(node: NodeName, other: NodeName, issuer: Issuer, nonce: bytes) -> None:
    if node != other:
        with pytest.raises(TicketError):
            SIGNER.check(SIGNER.issue(node, issuer, nonce, NOW), other, NOW)


@given(st.floats(-1e6, 1e6))
def test_only_a_timely_ticket_admits(late_s: float) -> None:
    ticket = SIGNER.issue(NODE, Issuer("0badcafe"), bytes(8), NOW)
    if -CLOCK_SKEW_S <= late_s <= TICKET_TTL_S + CLOCK_SKEW_S:
        SIGNER.check(ticket, NODE, NOW + late_s)
    else:
        with pytest.raises(TicketError):
            SIGNER.check(ticket, NODE, NOW + late_s)


@given(st.floats(0, 1), st.lists(st.floats(-2, 22), min_size=2, max_size=12).map(sorted))
def test_it_admits_once_whenever_it_is_shown(issued_at: float, shown_at: list[float]) -> None:
    """At any times, by a node whose clock differs as far as is allowed."""
    base = NOW + issued_at - CLOCK_SKEW_S
    ticket = SIGNER.issue(NODE, Issuer("0badcafe"), bytes(8), NOW + issued_at)
    nonces, admitted = NonceCache(), 0
    for after_s in shown_at:
        now = base + after_s
        try:
            nonces.redeem(SIGNER.check(ticket, NODE, now)[1], now)
        except TicketError:
            continue
        admitted += 1
    assert admitted <= 1
