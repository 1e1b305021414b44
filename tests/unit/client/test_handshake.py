import pytest

from ringway.client.handshake import check_answer, request_headers
from ringway.errors import ConfigError, UpgradeError
from ringway.protocol.upgrade import accept_for

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def answer(**headers: str) -> list[tuple[str, str]]:
    usual = {"upgrade": "websocket", "connection": "Upgrade", "sec-websocket-accept": accept_for(KEY)}
    return list({**usual, **{name.replace("_", "-"): value for name, value in headers.items()}}.items())


def test_headers_carry_origin_subprotocols_and_what_is_added() -> None:
    assert request_headers("https://app.example", ["chat", "v2"], {"Authorization": "Bearer x"}) == [
        ("Authorization", "Bearer x"),
        ("Origin", "https://app.example"),
        ("Sec-WebSocket-Protocol", "chat, v2"),
    ]
    assert request_headers(None, None, [("A", "1"), ("A", "2")]) == [("A", "1"), ("A", "2")]


@pytest.mark.parametrize(
    "pair",
    [
        ("X", "a\r\nEvil: 1"),
        ("X\r\nEvil", "1"),
        ("X Y", "1"),
        ("", "1"),
        ("X", "nul\0"),
        ("Sec-WebSocket-Key", KEY),
        ("HOST", "elsewhere"),
    ],
)
def test_a_header_that_would_break_the_request_is_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(ConfigError):
        request_headers(None, None, [pair])


@pytest.mark.parametrize("wrong", [["a b"], ["a", "a"], ["a,b"], [""]])
def test_subprotocols_are_distinct_tokens(wrong: list[str]) -> None:
    with pytest.raises(ConfigError):
        request_headers(None, wrong, None)


def test_an_origin_cannot_smuggle_a_header() -> None:
    with pytest.raises(ConfigError):
        request_headers("https://a\r\nEvil: 1", None, None)


def test_the_chosen_subprotocol_is_told() -> None:
    assert check_answer(KEY, ["chat", "v2"], answer(sec_websocket_protocol="v2")) == "v2"
    assert check_answer(KEY, ["chat"], answer()) is None


@pytest.mark.parametrize(
    "wrong",
    [
        answer(sec_websocket_protocol="other"),
        answer(sec_websocket_extensions="permessage-deflate"),
        answer(sec_websocket_accept=accept_for("another")),
    ],
)
def test_an_answer_with_what_was_not_offered_is_refused(wrong: list[tuple[str, str]]) -> None:
    with pytest.raises(UpgradeError):
        check_answer(KEY, ["chat"], wrong)
