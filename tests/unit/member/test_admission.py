"""Admission by tickets and rate, on time that the test moves."""

from dataclasses import dataclass, field

import pytest

from ringway.core.address import EXEMPT
from ringway.errors import UpgradeError
from ringway.member.admission import Admission
from ringway.member.drain import Drain
from ringway.member.process import ACCEPT_PER_S_START, ProcessStats
from ringway.member.redeemed_tickets import RedeemedTickets
from ringway.protocol.keyring import Keyring
from ringway.protocol.ticket import TicketKind, TicketSigner
from ringway.types import Issuer, NodeName

N1 = NodeName("n1")
GATEWAY = Issuer("0badcafe")
SIGNER = TicketSigner(Keyring(b"a secret of tests"))


@dataclass
class World:
    """An admission, and all that it asks."""

    now: float = 1000.0
    turned_away: int = 0
    drain: Drain = field(default_factory=lambda: Drain(0.0))
    nonces: int = 0

    def __post_init__(self) -> None:
        self.tickets = RedeemedTickets(self.clock)
        self.admission = self.make(sheds=True)

    def make(self, *, sheds: bool) -> Admission:
        return Admission(
            N1, SIGNER, self.tickets, self.drain, ProcessStats(self.clock, lambda: 0.0),
            sheds=sheds, address_share=0.5, retry_after_s=7, on_turned_away=self.count, clock=self.clock,
            wall=self.clock,
        )  # fmt: skip

    def clock(self) -> float:
        return self.now

    def count(self) -> None:
        self.turned_away += 1

    def ticket(self, node: NodeName = N1, kind: TicketKind = TicketKind.PLACEMENT) -> str:
        self.nonces += 1
        return SIGNER.issue(node, GATEWAY, self.nonces.to_bytes(8, "big"), self.now, kind=kind)


@pytest.fixture
def world() -> World:
    return World()


def refused(error: pytest.ExceptionInfo[UpgradeError]) -> tuple[int, dict[str, str]]:
    return error.value.status, dict(error.value.headers)


def test_a_ticket_is_good_once(world: World) -> None:
    ticket = world.ticket()
    redemption = world.admission.redeem_ticket(ticket, EXEMPT)
    assert not redemption.is_move
    assert redemption.nonce == (1).to_bytes(8, "big")
    assert world.tickets.taken == {GATEWAY: 1}
    with pytest.raises(UpgradeError) as error:
        world.admission.redeem_ticket(ticket, EXEMPT)
    assert error.value.status == 403
    assert world.tickets.taken == {GATEWAY: 1}


@pytest.mark.parametrize("ticket", ["", "nonsense", World().ticket(node=NodeName("n2"))])
def test_a_ticket_of_nobody_or_for_another_is_refused(world: World, ticket: str) -> None:
    with pytest.raises(UpgradeError) as error:
        world.admission.redeem_ticket(ticket, EXEMPT)
    assert error.value.status == 403


def test_a_ticket_says_that_a_move_ends_here(world: World) -> None:
    assert world.admission.redeem_ticket(world.ticket(kind=TicketKind.MOVE), EXEMPT).is_move


def test_a_ticket_that_the_holder_refuses_is_not_spent(world: World) -> None:
    ticket = world.ticket()

    def refuse(nonce: bytes) -> None:
        raise UpgradeError(410, "not here")

    with pytest.raises(UpgradeError, match="not here"):
        world.admission.redeem_ticket(ticket, EXEMPT, refuse)
    world.admission.redeem_ticket(ticket, EXEMPT)


def test_more_handshakes_than_it_can_take_are_turned_away_and_tickets_come_first(world: World) -> None:
    for _ in range(int(ACCEPT_PER_S_START)):
        world.admission.count_handshake(EXEMPT, has_ticket=False)
    with pytest.raises(UpgradeError) as error:
        world.admission.count_handshake(EXEMPT, has_ticket=False)
    status, headers = refused(error)
    assert status == 503
    assert int(headers["Retry-After"]) >= 1
    assert world.turned_away == 1
    world.admission.redeem_ticket(world.ticket(), EXEMPT)
    world.now += 1.0
    world.admission.count_handshake(EXEMPT, has_ticket=False)


def test_one_that_does_not_shed_takes_all(world: World) -> None:
    admission = world.make(sheds=False)
    for _ in range(int(10 * ACCEPT_PER_S_START)):
        admission.count_handshake(EXEMPT, has_ticket=False)
    assert world.turned_away == 0


def test_while_it_drains_only_those_come_for_whom_a_place_was_held(world: World) -> None:
    world.admission.check_state(has_ticket=False)
    world.drain.set_state(draining=True, within_s=0.0, now=world.now)
    world.admission.check_state(has_ticket=True)
    with pytest.raises(UpgradeError) as error:
        world.admission.check_state(has_ticket=False)
    assert refused(error) == (503, {"Retry-After": "7"})
