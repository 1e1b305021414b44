"""Requests to nodes for a WebSocket, the first time and again."""

import asyncio

import pytest

from ringway.core.steering import Steering
from ringway.errors import UpgradeError
from ringway.gateway.placement.affinity import Affinity
from ringway.gateway.proxy.upgrade_request import UpgradeRequest
from ringway.protocol.head import RequestHead
from ringway.protocol.upgrade import Upgrade

HEADERS = [
    ("host", "chat.test"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("sec-websocket-extensions", 'x-one; a="1,2"'),
    ("cookie", "c=d"),
    ("sec-websocket-extensions", "x-two"),
    ("connection", "upgrade"),
    ("x-forwarded-for", "6.6.6.6"),
]


def upgrade_request() -> UpgradeRequest:
    client = asyncio.Transport({"peername": ("192.0.2.7", 40000)})
    upgrade = Upgrade("dGhlIHNhbXBsZSBub25jZQ==", ("v1", "v2"), ())
    head = RequestHead("GET", "/r\xf6om", "key=k&a=1", "1.1", HEADERS, True)
    return UpgradeRequest(client, head, upgrade, Affinity(Steering("two-choices", b""), ()))


def test_the_head_is_rebuilt_as_often_as_it_is_asked_for() -> None:
    made = upgrade_request()
    assert (made.key, made.asked, made.query.rest) == (b"k", "key=k&a=1", "a=1")
    first = made.encode("/app" + made.path, "a=1", extensions=False)
    assert first == made.encode("/app" + made.path, "a=1", extensions=False)
    lines = first.decode("latin-1").split("\r\n")
    assert lines[0] == "GET /app/r\xf6om?a=1 HTTP/1.1"
    assert lines[-2:] == ["", ""]
    assert "cookie: c=d" in lines
    assert "X-Forwarded-For: 192.0.2.7" in lines
    assert not [line for line in lines if "extensions" in line]
    assert made.encode("/", "", extensions=False).startswith(b"GET / HTTP/1.1\r\n")


def test_an_offer_of_extensions_is_passed_on_as_it_came_or_not_at_all() -> None:
    lines = upgrade_request().encode("/", "", extensions=True).split(b"\r\n")
    offers = [line for line in lines if b"extensions" in line]
    assert offers == [b'sec-websocket-extensions: x-one; a="1,2"', b"sec-websocket-extensions: x-two"]
    assert lines[-2:] == [b"", b""]


@pytest.mark.parametrize("first", [[], [("sec-websocket-protocol", "v1")]])
def test_what_was_agreed_with_the_client_stays(first: list[tuple[str, str]]) -> None:
    made = upgrade_request()
    made.agree(first)
    made.agree(first)
    with pytest.raises(UpgradeError, match="another subprotocol"):
        made.agree([("sec-websocket-protocol", "v2")])
