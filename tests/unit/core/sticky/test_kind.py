"""Kinds of sessions: what requests and answers say of theirs."""

import pytest

from ringway.core.sticky.kind import KINDS, SessionUse, id_in_head, ids_in_body, read_use, unknown_session
from ringway.protocol.head import RequestHead


def head(method: str, target: str, *headers: tuple[str, str]) -> RequestHead:
    path, _, query = target.partition("?")
    return RequestHead(method, path, query, "1.1", list(headers), True)


@pytest.mark.parametrize(
    ("kind", "method", "target", "use"),
    [
        ("socketio", "GET", "/socket.io/?EIO=4&transport=polling", SessionUse(learns=True)),
        ("socketio", "POST", "/socket.io/?EIO=4&transport=polling&sid=a%2Bb", SessionUse("a+b")),
        ("sockjs", "GET", "/chat/info", SessionUse()),
        ("sockjs", "GET", "/chat/iframe.html", SessionUse()),
        ("sockjs", "POST", "/chat/000/abc/xhr", SessionUse("abc", begins=True)),
        ("sockjs", "POST", "/a/b/chat/000/abc/xhr_send", SessionUse("abc")),
        ("sockjs", "GET", "/chat/000/abc/websocket", SessionUse("abc", begins=True)),
        ("sockjs", "GET", "/chat/000/a.c/xhr", SessionUse()),
        ("signalr", "POST", "/hub/negotiate?negotiateVersion=1", SessionUse(learns=True)),
        ("signalr", "GET", "/hub?id=a%3D%3D", SessionUse("a==")),
        ("signalr", "DELETE", "/hub?id=a", SessionUse("a", ends=True)),
        ("mcp", "POST", "/mcp", SessionUse(learns=True)),
    ],
)
def test_a_request_says_what_it_does_with_a_session(kind: str, method: str, target: str, use: SessionUse) -> None:
    assert read_use(kind, head(method, target)) == use


def test_mcp_has_its_session_in_a_header() -> None:
    given = ("mcp-session-id", "s1")
    assert read_use("mcp", head("POST", "/mcp", given)) == SessionUse("s1")
    assert read_use("mcp", head("DELETE", "/mcp", given)) == SessionUse("s1", ends=True)
    assert id_in_head("mcp", [("x", "y"), given]) == "s1"
    assert id_in_head("mcp", []) == id_in_head("socketio", [given]) == ""


@pytest.mark.parametrize(
    ("kind", "body", "ids"),
    [
        ("socketio", b'0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"]}', ["lv_VI97HAXpY6yYWAAAC"]),
        ("socketio", b'97:0{"sid":"abc","upgrades":[]}', ["abc"]),
        ("socketio", b'0{"sid":"ab', []),
        ("socketio", b'4["message"]', []),
        ("signalr", b'{"negotiateVersion":1,"connectionId":"c","connectionToken":"t=="}', ["c", "t=="]),
        ("signalr", b'{ "connectionId" : "c" }', ["c"]),
        ("mcp", b'{"sid":"x"}', []),
    ],
)
def test_an_answer_has_the_id_of_the_session_that_it_begins(kind: str, body: bytes, ids: list[str]) -> None:
    assert ids_in_body(kind, body) == ids


def test_clients_of_each_kind_are_told_in_their_own_way() -> None:
    told = {kind: (error := unknown_session(kind)).status for kind in KINDS}
    assert told == {"socketio": 400, "sockjs": 404, "signalr": 404, "mcp": 404}
    assert unknown_session("socketio").body == b'{"code":1,"message":"Session ID unknown"}'
    assert error.body.startswith(b"{")
