"""Rivals of a registration: who may register while another gateway claims the name, and who has lost it."""

import pytest

from ringway.core.registration import RefusalKind, held_elsewhere
from ringway.core.rival import Rival, Rivals
from ringway.protocol.backend import Backend
from ringway.protocol.backend_share import BackendClaim
from ringway.types import NodeName

A, G2, G3 = NodeName("a"), NodeName("g2"), NodeName("g3")


def backend(url: str = "ws://h:1", life: str = "one") -> Backend:
    return Backend(name=A, url=url, life=life)


def claim(of: Backend, since: float = 1.0, lease_s: float = 10.0) -> BackendClaim:
    return BackendClaim(backend=of, since=since, lease_s=lease_s)


def rivals(own: BackendClaim | None = None, **others: BackendClaim) -> Rivals:
    return Rivals(lambda name: own, lambda name: {NodeName(gateway): each for gateway, each in others.items()})


@pytest.mark.parametrize(
    ("other", "forbidden"),
    [
        (claim(backend("ws://h:2")), True),
        (claim(backend("ws://h:2"), lease_s=0.0), False),
        (claim(backend(life="two")), False),
        (claim(backend()), False),
    ],
    ids=["another server", "another server, not registered", "another life", "the server itself"],
)
def test_another_registered_server_keeps_the_name(other: BackendClaim, forbidden: bool) -> None:
    assert (rivals(g2=other).forbid(backend()) is not None) is forbidden


def test_the_owner_of_a_name_is_this_gateway_or_the_newest_other_that_has_it_from_a_source() -> None:
    def listed(since: float) -> BackendClaim:
        return BackendClaim(backend=backend("ws://h:2"), since=since, source="settings")

    assert rivals(claim(backend()), g2=claim(backend("ws://h:2"))).find_owner(A) is None
    assert rivals(claim(backend()), g2=listed(1.0), g3=listed(2.0)).find_owner(A) == Rival(G3, listed(2.0))
    assert rivals(listed(1.0), g2=listed(2.0)).find_owner(A) == Rival(NodeName(""), listed(1.0))


def test_the_newest_claim_has_the_name_and_a_life_that_lost_it_does_not_come_back() -> None:
    mine = backend()
    known = rivals(claim(mine, 5.0), g2=claim(backend("ws://h:2"), 4.0), g3=claim(backend(life="two"), 6.0))
    assert known.supersede(mine) == Rival(G3, claim(backend(life="two"), 6.0))
    assert known.forbid(mine) == Rival(G3, claim(backend(life="two"), 6.0))
    assert rivals(claim(mine, 5.0), g2=claim(backend("ws://h:2"), 4.0)).supersede(mine) is None
    assert rivals(None, g2=claim(backend("ws://h:2"), 9.0)).supersede(mine) is None


def test_a_life_that_lost_the_name_elsewhere_may_have_it_again_when_its_successor_is_gone() -> None:
    mine, others = backend(), {G2: claim(backend(life="two"), 6.0)}
    known = Rivals(lambda name: claim(mine, 5.0), lambda name: others)
    assert known.supersede(mine) is not None
    assert known.forbid(mine) is not None
    others.clear()
    assert known.forbid(mine) is None
    others[G2] = claim(backend(life="two"), 9.0)
    assert known.supersede(mine) is not None, "its successor is back"
    assert known.forbid(mine) is not None


def test_a_refusal_names_the_holder_the_gateway_and_the_remedy() -> None:
    other = held_elsewhere(backend(), Rival(G2, claim(backend("ws://h:2", "x"))))
    assert (other.kind, other.wait_s) == (RefusalKind.HELD, 10.0)
    assert "the name 'a' is held by ws://h:2 (incarnation x), which registered at g2" in str(other)
    assert "take another name, or wait" in str(other)
    later = held_elsewhere(backend(), Rival(G2, claim(backend(life="two"))))
    assert "has replaced the incarnation 'one'; an incarnation that was replaced does not come back while" in str(later)
