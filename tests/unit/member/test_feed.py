import pytest

from ringway.core.load.reservation import Ledger
from ringway.member.feed import ISSUERS_MAX, TAKEN_KEEP_S, Peers
from ringway.protocol.report import Report, encode_report
from ringway.types import Incarnation, Issuer, NodeName
from sample import gateway_report, node_report

OWN = Incarnation("00000001")
N2 = NodeName("n2")
GATEWAY = Issuer("0badcafe")


@pytest.fixture
def peers() -> Peers:
    return Peers(OWN, Ledger())


def hear(peers: Peers, report: Report, now: float = 0.0) -> None:
    peers.heard(report.name, encode_report(report), now)


def test_places_that_a_target_says_were_taken_are_given_up(peers: Peers) -> None:
    for _ in range(5):
        peers.ledger.hold(N2, 0.0)
    hear(peers, node_report("n2", taken={Issuer(OWN): 3, GATEWAY: 9}), 1.0)
    assert peers.ledger.held() == {N2: 2}
    peers.tick(60.0, engine_up=True)
    assert peers.ledger.held() == {}


def test_places_at_a_node_that_left_are_forgotten(peers: Peers) -> None:
    hear(peers, node_report("n2"))
    peers.ledger.hold(N2, 0.0)
    peers.moved[N2] = 4
    peers.heard(N2, None, 1.0)
    assert peers.ledger.held() == {}
    assert peers.moved == {}


def test_tickets_of_nodes_are_moves_also_when_the_node_has_left(peers: Peers) -> None:
    node, gateway = node_report("n2"), gateway_report("g1")
    hear(peers, node)
    hear(peers, gateway)
    peers.heard(N2, None, 1.0)
    assert peers.is_node(Issuer(node.incarnation))
    assert not peers.is_node(Issuer(gateway.incarnation))


def test_a_node_that_lives_is_known_however_many_others_have_come_and_gone(peers: Peers) -> None:
    living = node_report("n2", life=9999)
    hear(peers, living)
    for life in range(2000):
        other = node_report("n3", life=life)
        hear(peers, other)
        peers.heard(other.name, None, 1.0)
    assert peers.is_node(Issuer(living.incarnation))
    peers.heard(N2, None, 2.0)
    assert peers.is_node(Issuer(living.incarnation))


def test_taken_is_told_while_the_issuer_lives_and_some_time_after(peers: Peers) -> None:
    gateway = gateway_report("g1")
    issuer = Issuer(gateway.incarnation)
    peers.redeemed(issuer, 0.0)
    peers.redeemed(issuer, 1.0)
    assert peers.taken == {issuer: 2}
    hear(peers, gateway, TAKEN_KEEP_S - 1)
    peers.tick(TAKEN_KEEP_S + 10, engine_up=True)
    assert peers.taken == {issuer: 2}
    peers.tick(2 * TAKEN_KEEP_S, engine_up=True)
    assert peers.taken == {}


def test_issuers_are_bounded(peers: Peers) -> None:
    for number in range(ISSUERS_MAX + 10):
        peers.redeemed(Issuer(f"{number:08x}"), float(number) / ISSUERS_MAX)
    assert len(peers.taken) == ISSUERS_MAX
    assert Issuer("00000000") not in peers.taken


@pytest.mark.parametrize(
    ("url", "origins"),
    [
        ("https://ring.example", ("https://ring.example",)),
        ("wss://ring.example:8443/path", ("https://ring.example:8443",)),
        ("http://user:secret@10.0.0.1:8000", ("http://10.0.0.1:8000",)),
        ("http://127.0.0.1:8000", ("http://127.0.0.1:8000", "http://localhost:8000")),
        ("http://localhost", ("http://127.0.0.1", "http://localhost")),
        ("http://[::1]:8000", ("http://[::1]:8000",)),
        ("ftp://x", ()),
        ("", ()),
    ],
)
def test_origins_of_gateways(peers: Peers, url: str, origins: tuple[str, ...]) -> None:
    hear(peers, gateway_report("g1", public_url=url))
    assert peers.gateway_origins == origins
    peers.heard(NodeName("g1"), None, 1.0)
    assert peers.gateway_origins == ()


def test_reports_that_cannot_be_read_are_passed_over(peers: Peers) -> None:
    peers.heard(N2, b"nonsense", 0.0)
    assert peers.membership.members == {}
