"""Requests to nodes for a WebSocket, the first time and again."""

import asyncio

import pytest

from ringway.core.group import Groups
from ringway.errors import UpgradeError
from ringway.gateway.placement.affinity import Affinity
from ringway.gateway.placement.routing import Routing
from ringway.gateway.proxy.upgrade_request import UpgradeRequest, read_request, unpack_request
from ringway.protocol.backend import OnMove
from ringway.protocol.head import RequestHead
from ringway.protocol.upgrade import Upgrade
from ringway.types import Issuer

HEADERS = [
    ("host", "chat.test"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("sec-websocket-extensions", 'x-one; a="1,2"'),
    ("cookie", "c=d"),
    ("sec-websocket-extensions", "permessage-deflate; client_max_window_bits"),
    ("connection", "upgrade"),
    ("x-forwarded-for", "6.6.6.6"),
]
OFFERS = ('x-one; a="1', '2"', "permessage-deflate; client_max_window_bits")
ALONE = "permessage-deflate; client_max_window_bits; server_no_context_takeover; client_no_context_takeover"

Answer = list[tuple[str, str]]


def upgrade_request() -> UpgradeRequest:
    client = asyncio.Transport({"peername": ("192.0.2.7", 40000)})
    upgrade = Upgrade("dGhlIHNhbXBsZSBub25jZQ==", ("v1", "v2"), OFFERS)
    head = RequestHead("GET", "/r\xf6om", "key=k&a=1", "1.1", HEADERS, True)
    return read_request(client, head, upgrade, Affinity(()), Routing((), Groups(Issuer("0badcafe"))).find_with_keys)


def offers_of(made: UpgradeRequest, on_move: OnMove) -> list[bytes]:
    lines = made.encode("/", "", extensions=made.extensions_for(on_move)).split(b"\r\n")
    assert lines[-2:] == [b"", b""]
    return [line.partition(b": ")[2] for line in lines if b"extensions" in line]


def test_the_head_is_rebuilt_as_often_as_it_is_asked_for() -> None:
    made = upgrade_request()
    assert (made.key, made.asked, made.query.rest) == (b"k", "key=k&a=1", "a=1")
    first = made.encode("/app" + made.path, "a=1", extensions=())
    assert first == made.encode("/app" + made.path, "a=1", extensions=())
    lines = first.decode("latin-1").split("\r\n")
    assert lines[0] == "GET /app/r\xf6om?a=1 HTTP/1.1"
    assert lines[-2:] == ["", ""]
    assert "cookie: c=d" in lines
    assert "X-Forwarded-For: 192.0.2.7" in lines
    assert not [line for line in lines if "extensions" in line]
    assert made.encode("/", "", extensions=()).startswith(b"GET / HTTP/1.1\r\n")


@pytest.mark.parametrize("on_move", [OnMove.CLOSE, OnMove.NEVER])
def test_extensions_of_a_websocket_that_stays_are_offered_as_they_came(on_move: OnMove) -> None:
    assert offers_of(upgrade_request(), on_move) == [b'x-one; a="1,2"', OFFERS[2].encode()]


def test_one_that_may_be_opened_again_is_offered_only_compression_without_context() -> None:
    assert offers_of(upgrade_request(), OnMove.REOPEN) == [ALONE.encode()]


def test_a_channel_node_is_offered_no_extension() -> None:
    assert offers_of(upgrade_request(), OnMove.FOLLOW) == []


@pytest.mark.parametrize("next_one", list(OnMove))
def test_the_next_node_is_offered_what_the_first_was(next_one: OnMove) -> None:
    made, plain = upgrade_request(), upgrade_request()
    made.agree([("sec-websocket-extensions", ALONE)])
    plain.agree([])
    if next_one is not OnMove.FOLLOW:
        assert offers_of(made, next_one) == [ALONE.encode()]
    assert offers_of(plain, next_one) == []


@pytest.mark.parametrize("first", [[], [("sec-websocket-protocol", "v1")]], ids=["no subprotocol", "v1"])
def test_what_was_agreed_with_the_client_stays(first: Answer) -> None:
    made = upgrade_request()
    made.agree(first)
    made.agree(first)
    with pytest.raises(UpgradeError, match="another subprotocol"):
        made.agree([("sec-websocket-protocol", "v2")])


@pytest.mark.parametrize(
    ("then", "same"),
    [
        (ALONE, True),
        ("permessage-deflate; server_no_context_takeover; client_max_window_bits", True),
        ("permessage-deflate; server_no_context_takeover; client_max_window_bits=12", False),
        ("permessage-deflate; server_no_context_takeover", False),
        ("permessage-deflate; client_max_window_bits", False),
        ("", False),
    ],
    ids=["the same", "the client's context is the gateway's", "other window", "no window", "context", "none"],
)
def test_compression_must_be_agreed_as_before(then: str, same: bool) -> None:
    made = upgrade_request()
    made.agree([("sec-websocket-extensions", ALONE)])
    answer = [("sec-websocket-extensions", then)] if then else []
    if same:
        made.agree(answer)
    else:
        with pytest.raises(UpgradeError, match="other extensions"):
            made.agree(answer)


@pytest.mark.parametrize(
    "agreed", [None, [], [("sec-websocket-extensions", ALONE)]], ids=["not yet", "none", "deflate"]
)
def test_a_packed_request_is_the_same_request(agreed: Answer | None) -> None:
    made = upgrade_request()
    if agreed is not None:
        made.agree(agreed)
    assert unpack_request(made.pack()) == made


def test_a_browsers_packed_request_is_small() -> None:
    agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
    headers = [
        *HEADERS, ("user-agent", agent), ("origin", "https://chat.test"), ("pragma", "no-cache"),
        ("cache-control", "no-cache"), ("accept-encoding", "gzip, deflate, br, zstd"),
        ("accept-language", "de-DE,de;q=0.9,en;q=0.8"), ("cookie", "sid=8f2b1c9d7e6a5b4c3d2e1f0a9b8c7d6e"),
    ]  # fmt: skip
    head = RequestHead("GET", "/room", "", "1.1", headers, True)
    client = asyncio.Transport({"peername": ("192.0.2.7", 40000)})
    upgrade = Upgrade("dGhlIHNhbXBsZSBub25jZQ==", (), OFFERS[2:])
    made = read_request(client, head, upgrade, Affinity(()), Routing((), Groups(Issuer("0badcafe"))).find_with_keys)
    assert len(made.lines) > 480
    assert len(made.pack()) < 280
