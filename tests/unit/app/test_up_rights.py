"""Whether the nodes of `ringway up` check rights, by what the settings say."""

import pytest

from ringway.app.config import load_config
from ringway.app.up_rights import is_open


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({}, True),
        ({"RINGWAY_GATEWAY_HOST": "::1"}, True),
        ({"RINGWAY_GATEWAY_HOST": "0.0.0.0"}, False),
        ({"RINGWAY_NODE_HOST": "10.0.0.1"}, False),
        ({"RINGWAY_GATEWAY_HOST": "*"}, False),
        ({"RINGWAY_NODE_INSECURE": "false"}, False),
        ({"RINGWAY_NODE_INSECURE": "true", "RINGWAY_GATEWAY_HOST": "0.0.0.0"}, True),
        ({"RINGWAY_NODE_ALLOW_ANONYMOUS_CONNECT_WITHOUT_TOKEN": "true"}, False),
        ({"RINGWAY_TOKEN_HMAC_SECRET_KEY": "k" * 40}, False),
    ],
    ids=["loopback", "loopback v6", "gateway", "nodes", "all", "not wanted", "wanted", "anonymous", "a key"],
)
def test_they_are_open_on_loopback_unless_something_is_said(environ: dict[str, str], found: bool) -> None:
    assert is_open(load_config(environ=environ)) is found
