"""Names that a source other than registration offers: nobody registers, renews or drains them, at any gateway."""

from collections.abc import Callable

import pytest

from ringway.core.held_nodes import HeldNodes
from ringway.core.registration import RefusalKind, RegistrationRefused
from ringway.core.rival import Rivals
from ringway.gateway.backends.book import BackendBook
from ringway.protocol.backend import Backend
from ringway.protocol.order import DrainAnswer
from ringway.protocol.registration import DrainOrder, Renewal
from ringway.protocol.report import Report
from ringway.sources.registration.config import RegistrationConfig
from ringway.sources.registration.source import RegistrationSource
from ringway.sources.sink import Offer
from ringway.types import Incarnation, NodeName, Role

A = NodeName("a")
OWN, OTHER = "ws://10.0.0.1:9000", "ws://10.0.0.2:9000"
FILE = "file backends.toml"


class Gateway:
    """A gateway with a registration port and a file of backends; `judged` are the drains that the leader judged."""

    def __init__(self, name: str) -> None:
        self.name = NodeName(name)
        self.held = HeldNodes()
        self.judged: list[NodeName] = []
        self.states: list[tuple[NodeName, bool, float]] = []
        self.book = BackendBook(lambda *state: self.states.append(state), lambda name: False)
        rivals = Rivals(self.book.claim, lambda found: self.held.claims_of_others(found, self.name))
        self.source = RegistrationSource(RegistrationConfig(), self.book, judge=self.judge, rivals=rivals)

    async def judge(self, name: NodeName, within_s: float, force: bool) -> DrainAnswer:
        self.judged.append(name)
        return DrainAnswer(why="", connections=0, moves_per_s=0.0, needs_s=0.0)

    def offer(self, url: str | None) -> None:
        """Have the file offer the backend `a` at `url`; None: it does not any more."""
        self.book.update(FILE, {A: Offer(Backend(name=A, url=url))} if url else {})

    def hear(self, gateway: "Gateway") -> None:
        self.held.on_report(
            Report(
                name=gateway.name, incarnation=Incarnation("00000001"), role=Role.GATEWAY, seq=1, url="http://g",
                backends=gateway.book.claims(),
            )
        )  # fmt: skip

    def register(self, url: str = OTHER) -> None:
        self.source.register(A, {"url": url, "incarnation": "i"})

    def refusal(self, request: Callable[[], object]) -> RegistrationRefused:
        with pytest.raises(RegistrationRefused) as caught:
            request()
        assert caught.value.kind is RefusalKind.HELD
        return caught.value


@pytest.mark.parametrize("url", [OTHER, OWN], ids=["another server", "the same server"])
def test_a_name_of_another_source_of_this_gateway_cannot_be_registered(url: str) -> None:
    gateway = Gateway("g1")
    gateway.offer(OWN)
    refused = gateway.refusal(lambda: gateway.register(url))
    assert refused.error == f"the name 'a' belongs to {OWN}, which this gateway has from its source '{FILE}'"
    assert "a name belongs to one source" in refused.rule
    assert "take another name, or take the backend out of that source" in refused.remedy
    assert gateway.source.rows() == []


def test_a_name_of_a_source_of_another_gateway_cannot_be_registered() -> None:
    gateway, other = Gateway("g1"), Gateway("g2")
    other.offer(OWN)
    gateway.hear(other)
    refused = gateway.refusal(gateway.register)
    assert f"belongs to {OWN}, which the gateway g2 has from its source '{FILE}'" in refused.error


def test_a_name_is_free_when_its_source_offers_it_no_more() -> None:
    gateway, other = Gateway("g1"), Gateway("g2")
    for each in (gateway, other):
        each.offer(OWN)
    gateway.hear(other)
    for each in (other, gateway):
        gateway.refusal(gateway.register)
        each.offer(None)
        gateway.hear(other)
    gateway.register()
    claim = gateway.book.claim(A)
    assert claim is not None
    assert (claim.backend.url, gateway.states[-1]) == (OTHER, (A, False, 0.0))


async def test_a_registration_whose_name_another_gateway_has_from_a_source_steers_nothing_and_ends() -> None:
    gateway, other = Gateway("g1"), Gateway("g2")
    gateway.register()
    other.offer(OWN)
    gateway.hear(other)
    gateway.refusal(lambda: gateway.source.renew(A, Renewal()))
    gateway.refusal(gateway.register)
    with pytest.raises(RegistrationRefused, match="the gateway g2 has from its source"):
        await gateway.source.drain(A, DrainOrder(within_s=5.0))
    assert (gateway.judged, gateway.states) == ([], [])
    gateway.source.tick()
    assert (gateway.source.rows(), gateway.book.claim(A)) == ([], None)


async def test_a_registered_name_that_another_source_of_this_gateway_offers_later_stays_registered() -> None:
    gateway = Gateway("g1")
    gateway.register()
    gateway.offer(OWN)
    gateway.source.tick()
    gateway.source.renew(A, Renewal())
    await gateway.source.drain(A, DrainOrder(within_s=5.0))
    assert (gateway.judged, [state[:2] for state in gateway.states]) == ([A], [(A, True)])
