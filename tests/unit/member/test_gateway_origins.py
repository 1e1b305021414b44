import pytest

from ringway.core.membership import MemberJoined, MemberLeft, MemberReported
from ringway.member.gateway_origins import GatewayOrigins
from sample import gateway_report, node_report


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
def test_origins_of_gateways(url: str, origins: tuple[str, ...]) -> None:
    gateways = GatewayOrigins()
    report = gateway_report("g1", public_url=url)
    gateways.on_event(MemberJoined(report))
    assert gateways.origins == origins
    gateways.on_event(MemberLeft(report, "withdrawn"))
    assert gateways.origins == ()


def test_only_a_change_makes_another_tuple() -> None:
    gateways = GatewayOrigins()
    report = gateway_report("g1", public_url="https://ring.example")
    gateways.on_event(MemberJoined(report))
    before = gateways.origins
    gateways.on_event(MemberReported(report))
    gateways.on_event(MemberJoined(node_report("n1")))
    assert gateways.origins is before
    gateways.on_event(MemberJoined(gateway_report("g2", public_url="https://other.example")))
    gateways.on_event(MemberLeft(report, "withdrawn"))
    assert gateways.origins == ("https://other.example",)
