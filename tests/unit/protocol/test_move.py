"""The move signal in a close reason."""

import pytest

from ringway.protocol.close import REASON_BYTES_MAX
from ringway.protocol.keyring import Keyring
from ringway.protocol.move import Move, read_move
from ringway.protocol.ticket import TicketSigner
from ringway.types import Issuer, NodeName

TICKET = TicketSigner(Keyring(b"s")).issue(NodeName("n"), Issuer("00000001"), bytes(8), 1e9)


@pytest.mark.parametrize("node", ["n", "node-1", "a.b_c-D.9", "x" * 63])
def test_what_is_written_is_read(node: str) -> None:
    move = Move(NodeName(node), TICKET)
    assert read_move(move.reason()) == move


def test_the_longest_move_fits_into_a_close_frame() -> None:
    assert len(Move(NodeName("x" * 63), TICKET).reason().encode()) == 113 < REASON_BYTES_MAX


@pytest.mark.parametrize(
    "reason",
    [
        "",
        "move",
        "move n",
        f"move  {TICKET}",
        f"Move n {TICKET}",
        f"move n {TICKET} ",
        f"move n {TICKET}\n",
        f" move n {TICKET}",
        f"move n  {TICKET}",
        f"move -n {TICKET}",
        f"move n/../x {TICKET}",
        f"move {'x' * 64} {TICKET}",
        f"move n {TICKET[:-1]}",
        f"move n {TICKET}A",
        f"move n {TICKET[:-1]}&",
        "service restart",
    ],
)
def test_any_other_reason_is_no_move(reason: str) -> None:
    assert read_move(reason) is None
