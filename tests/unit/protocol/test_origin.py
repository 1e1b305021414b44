"""Which pages may connect."""

import pytest

from ringway.protocol.origin import origin_allowed

HOST = "app.example:8443"


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        ("https://app.example:8443", True),
        ("http://app.example:8443", True),
        ("HTTPS://APP.example:8443", True),
        ("https://partner.example", True),
        ("https://partner.example:443", False),  # an Origin header never writes the default port
        ("https://app.example", False),
        ("https://app.example:8444", False),
        ("null", False),
        ("", False),
        ("https://", False),
        ("https://app.example:8443.evil.example", False),
        ("https://evil.example/app.example:8443", False),
        ("https://app.example:8443/", False),
        ("https://user@app.example:8443", False),
        ("https://xn--pp-eka.example:8443", False),
        ("ws://app.example:8443", False),
        ("file://app.example:8443", False),
        ("https://notpartner.example", False),
        ("https://partner.example.evil.example", False),
    ],
)
def test_origins(origin: str | None, allowed: bool) -> None:
    assert origin_allowed(origin, HOST, ["https://partner.example"]) is allowed


def test_default_ports_are_the_same_host() -> None:
    assert origin_allowed("https://app.example", "app.example:443", ())
    assert origin_allowed("http://app.example", "app.example", ())
    assert not origin_allowed("https://app.example", "app.example:80", ())


def test_any() -> None:
    assert origin_allowed("https://evil.example", HOST, ["*"])
    assert origin_allowed("null", HOST, ["*"])
