"""Settings of a gateway that are refused."""

import pytest

from ringway.errors import ConfigError
from ringway.gateway.config.gateway import GatewayConfig


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://ring.example:0", "public_url: the URL 'https://ring.example:0' cannot be read .the port '0'"),
        ("https://ring.example:", "public_url: .*the port ''"),
        ("ring.example", "public_url: .* must begin with http://"),
        ("https://u:secret@ring.example", "public_url: .* holds credentials"),
        ("https://::1:8000", "public_url: .* must stand in brackets"),
    ],
    ids=["port-0", "no-port", "no-scheme", "credentials", "no-brackets"],
)
def test_a_public_url_that_nobody_can_reach_is_refused(url: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as refused:
        GatewayConfig(public_url=url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", ["", "https://ring.example/app", "wss://[::1]:8443"], ids=["none", "https", "wss"])
def test_a_public_url_may_be_of_either_kind(url: str) -> None:
    assert GatewayConfig(public_url=url).public_url == url
