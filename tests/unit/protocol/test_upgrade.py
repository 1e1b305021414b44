"""HTTP exchanges that are WebSocket handshakes, and others that are not."""

import pytest

from ringway.errors import UpgradeError
from ringway.protocol.upgrade import (
    accept_for,
    check_request,
    check_response,
    tokens_of,
    value_of,
    wants_upgrade,
)

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
REQUEST = (
    ("host", "server.example.com"),
    ("upgrade", "websocket"),
    ("connection", "Upgrade"),
    ("sec-websocket-key", KEY),
    ("sec-websocket-version", "13"),
)
OFFER = (
    *REQUEST,
    ("sec-websocket-protocol", "chat, superchat"),
    ("sec-websocket-extensions", "permessage-deflate; a=1, x"),
)
ANSWER = (("upgrade", "websocket"), ("connection", "Upgrade"), ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))


def changed(headers, name, *values):
    """Return `headers` with `name` replaced by `values`."""
    return (*(item for item in headers if item[0] != name), *((name, value) for value in values))


def test_the_example_of_the_rfc() -> None:
    assert accept_for(KEY) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    upgrade = check_request("GET", "1.1", OFFER)
    assert upgrade.protocols == ("chat", "superchat")
    assert upgrade.extensions == ("permessage-deflate; a=1", "x")
    check_response(upgrade, 101, "1.1", ANSWER)
    check_response(
        upgrade, 101, "1.1", (*ANSWER, ("sec-websocket-protocol", "superchat"), ("sec-websocket-extensions", "x; b"))
    )


@pytest.mark.parametrize(
    ("upgrade", "connection"), [("WebSocket", "keep-alive, UPGRADE"), ("websocket", "upgrade, close")]
)
def test_tokens_are_compared_without_case(upgrade: str, connection: str) -> None:
    check_request("GET", "1.1", changed(changed(REQUEST, "upgrade", upgrade), "connection", connection))


BAD_REQUESTS = {
    "h2c": (400, changed(REQUEST, "upgrade", "h2c")),
    "two upgrades": (400, changed(REQUEST, "upgrade", "websocket, h2c")),
    "two upgrade headers": (400, changed(REQUEST, "upgrade", "websocket", "websocket")),
    "no upgrade": (400, changed(REQUEST, "upgrade")),
    "no connection": (400, changed(REQUEST, "connection")),
    "connection without it": (400, changed(REQUEST, "connection", "keep-alive")),
    "no host": (400, changed(REQUEST, "host")),
    "two hosts": (400, changed(REQUEST, "host", "a", "b")),
    "no key": (400, changed(REQUEST, "sec-websocket-key")),
    "short key": (400, changed(REQUEST, "sec-websocket-key", "c2hvcnQ=")),
    "key that is no base64": (400, changed(REQUEST, "sec-websocket-key", "dGhlIHNhbXBsZSBub25jZ!==")),
    "two keys": (400, changed(REQUEST, "sec-websocket-key", KEY, KEY)),
    "version 777": (426, changed(REQUEST, "sec-websocket-version", "777")),
    "no version": (426, changed(REQUEST, "sec-websocket-version")),
    "body": (400, (*REQUEST, ("content-length", "5"))),
    "chunked": (400, (*REQUEST, ("transfer-encoding", "chunked"))),
    "odd subprotocol": (400, (*REQUEST, ("sec-websocket-protocol", "a b"))),
    "subprotocol twice": (400, (*REQUEST, ("sec-websocket-protocol", "a, a"))),
}


@pytest.mark.parametrize("name", BAD_REQUESTS)
def test_bad_requests(name: str) -> None:
    status, headers = BAD_REQUESTS[name]
    with pytest.raises(UpgradeError) as caught:
        check_request("GET", "1.1", headers)
    assert caught.value.status == status
    if status == 426:
        assert caught.value.headers == (("Sec-WebSocket-Version", "13"),)


def test_a_plain_request_is_told_what_to_upgrade_to() -> None:
    for headers in ((("host", "x"),), (("host", "x"), ("upgrade", "h2c"), ("connection", "Upgrade"))):
        with pytest.raises(UpgradeError) as caught:
            check_request("GET", "1.1", headers)
        assert (caught.value.status, caught.value.headers) == (426, (("Upgrade", "websocket"),))


def test_only_get_over_http_1_1() -> None:
    with pytest.raises(UpgradeError) as caught:
        check_request("POST", "1.1", REQUEST)
    assert (caught.value.status, caught.value.headers) == (405, (("Allow", "GET"),))
    for version in ("1.0", "2", "0.9"):
        with pytest.raises(UpgradeError) as caught:
            check_request("GET", version, REQUEST)
        assert caught.value.status == 505


BAD_ANSWERS = {
    "wrong accept": changed(ANSWER, "sec-websocket-accept", accept_for("AAAAAAAAAAAAAAAAAAAAAA==")),
    "accept in other case": changed(ANSWER, "sec-websocket-accept", accept_for(KEY).upper()),
    "no accept": changed(ANSWER, "sec-websocket-accept"),
    "two accepts": changed(ANSWER, "sec-websocket-accept", accept_for(KEY), accept_for(KEY)),
    "no upgrade": changed(ANSWER, "upgrade"),
    "no connection": changed(ANSWER, "connection"),
    "h2c": changed(ANSWER, "upgrade", "h2c"),
    "subprotocol not offered": (*ANSWER, ("sec-websocket-protocol", "other")),
    "two subprotocols": (*ANSWER, ("sec-websocket-protocol", "chat, superchat")),
    "extension not offered": (*ANSWER, ("sec-websocket-extensions", "x-other")),
    "extension chosen twice": (*ANSWER, ("sec-websocket-extensions", "x, x")),
    "body": (*ANSWER, ("content-length", "5")),
    "chunked": (*ANSWER, ("transfer-encoding", "chunked")),
}


@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_bad_answers(name: str) -> None:
    upgrade = check_request("GET", "1.1", OFFER)
    with pytest.raises(UpgradeError) as caught:
        check_response(upgrade, 101, "1.1", BAD_ANSWERS[name])
    assert caught.value.status == 502


@pytest.mark.parametrize(("status", "version"), [(200, "1.1"), (100, "1.1"), (426, "1.1"), (101, "1.0")])
def test_only_a_101_over_http_1_1_opens(status: int, version: str) -> None:
    with pytest.raises(UpgradeError) as caught:
        check_response(check_request("GET", "1.1", OFFER), status, version, ANSWER)
    assert caught.value.status == 502


def test_nothing_may_be_chosen_where_nothing_was_offered() -> None:
    upgrade = check_request("GET", "1.1", REQUEST)
    check_response(upgrade, 101, "1.1", (*ANSWER, ("content-length", "0")))
    for name in ("sec-websocket-protocol", "sec-websocket-extensions"):
        with pytest.raises(UpgradeError):
            check_response(upgrade, 101, "1.1", (*ANSWER, (name, "chat")))


def test_reading_headers() -> None:
    headers = (("a", "1, ,2"), ("b", ""), ("a", "3"))
    assert value_of(headers, "a") == "1, ,2"
    assert value_of(headers, "c") is None
    assert tokens_of(headers, "a") == ["1", "2", "3"]
    assert not wants_upgrade(headers)
    assert not wants_upgrade((("upgrade", "h2c"),))
    assert not wants_upgrade((("upgrade", "h2c, TLS/1.0"), ("connection", "Upgrade, HTTP2-Settings")))
    assert wants_upgrade((("upgrade", "WebSocket"),))
    assert wants_upgrade((("upgrade", "h2c, websocket"),))
    assert wants_upgrade((("upgrade", "h2c"), ("sec-websocket-key", "")))
    assert wants_upgrade((("sec-websocket-key", ""),))
