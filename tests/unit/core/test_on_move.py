"""What happens to a WebSocket that is moved, by what its handshake shows."""

from pathlib import Path

import pytest

from ringway.core.on_move import FIRST_BYTES, PARAMETERS_MAX, STATEFUL, asked_protocol, resolve_on_move, spoken_protocol
from ringway.protocol.backend import OnMove

PAGE = (Path(__file__).parents[3] / "docs/reference/backend-moves.md").read_text()
TOKEN = "m0AzQ5xXH1xnKf6tXuQOMg"


@pytest.mark.parametrize(
    ("name", "path", "query"),
    [
        ("Socket.IO", "/socket.io/", "EIO=4&transport=websocket"),
        ("Socket.IO", "/engine.io/", ""),
        ("Socket.IO", "/live/", "transport=websocket&EIO=4"),
        ("SockJS", "/chat/347/ab12cd34/websocket", ""),
        ("SockJS", "/SockJS/", ""),
        ("SockJS", "/websocket", ""),
        ("Phoenix", "/socket", "token=x&vsn=2.0.0"),
        ("Centrifugo", "/connection/uni_websocket", ""),
        ("Action Cable", "/cable", ""),
        ("SignalR", "/chathub", f"id={TOKEN}"),
        ("SignalR", "/hubs/x", "connectionToken=a%2Fb"),
        ("SignalR", "/_blazor", ""),
        ("tRPC", "/api/trpc", ""),
        ("tRPC", "/", "connectionParams=1"),
        ("GraphQL", "/v1/graphql", ""),
        ("GraphQL", "/subscriptions", ""),
        ("Yjs", "/collaboration/doc-7", ""),
        ("MQTT", "/mqtt", ""),
        ("STOMP", "/stomp", ""),
        ("Pusher", "/app/key", "protocol=7&client=js&version=8.4.0"),
        ("Colyseus", "/pX3a/rK9b", "sessionId=q1"),
        ("LiveKit", "/rtc", "access_token=x"),
        ("Jupyter", "/api/kernels/8f2c/channels", ""),
        ("Streamlit", "/_stcore/stream", ""),
        ("sessions", "/", "sid=7"),
        ("sessions", "/ws", "a=b&session_id=7"),
    ],
)
def test_a_protocol_with_a_state_is_known_by_its_handshake_and_its_client_is_closed(
    name: str, path: str, query: str
) -> None:
    found = asked_protocol(path, query)
    assert found is not None
    assert found.name == name
    assert resolve_on_move(OnMove.AUTO, path, query, subprotocols=False) is OnMove.CLOSE


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/", ""), ("/ws", "token=abc"), ("/ws/42", ""), ("/chat/room/7", "user=a&id=7"), ("", ""),
        ("/notgraphql", ""), ("/cable/7", ""), ("/websocket/7", ""), ("/echo", "transport=websocket"), ("/a", "=&&=x"),
    ],
)  # fmt: skip
def test_a_plain_websocket_is_opened_anew(path: str, query: str) -> None:
    assert asked_protocol(path, query) is None
    assert resolve_on_move(OnMove.AUTO, path, query, subprotocols=False) is OnMove.REOPEN


def test_whoever_offers_a_subprotocol_is_closed() -> None:
    assert resolve_on_move(OnMove.AUTO, "/", "", subprotocols=True) is OnMove.CLOSE


@pytest.mark.parametrize("on_move", [OnMove.CLOSE, OnMove.REOPEN, OnMove.NEVER])
def test_the_word_of_the_operator_counts_whatever_is_spoken(on_move: OnMove) -> None:
    for path, offers in (("/", False), ("/socket.io/", True)):
        assert resolve_on_move(on_move, path, "", subprotocols=offers) is on_move


def test_of_a_long_query_the_first_parameters_count() -> None:
    filler = "&".join(["a=b"] * PARAMETERS_MAX)
    assert asked_protocol("/", f"sid=1&{filler}") is not None
    assert asked_protocol("/", f"{filler}&sid=1") is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Socket.IO", b"40"),
        ("Socket.IO", b'40{"token":"x"}'),
        ("Socket.IO", b"40/admin,"),
        ("Phoenix", b'["3","3","room:1","phx_join",{}]'),
        ("Centrifugo", b'{"id":1,"connect":{}}'),
        ("Action Cable", b'{"command":"subscribe","identifier":"{}"}'),
        ("SignalR", b'{"protocol":"messagepack","version":1}\x1e'),
        ("tRPC", b'{"id":1,"method":"subscription","params":{"path":"x"}}'),
        ("tRPC", b'{"method":"connectionParams","data":{}}'),
        ("GraphQL", b'{"type":"connection_init","payload":{}}'),
        ("STOMP", b"CONNECT\naccept-version:1.2\n\n\0"),
        ("NATS", b'CONNECT {"verbose":false}\r\n'),
        ("Meteor", b'{"msg":"connect","version":"1"}'),
        ("Pusher", b'{"event":"pusher:subscribe","data":{}}'),
        ("JSON-RPC", b'{"jsonrpc":"2.0","id":1,"method":"eth_subscribe"}'),
        ("sessions", b'{"type":"login","user":"a"}'),
        ("sessions", b'{"op":"channel.subscribe"}'),
        ("sessions", b'{"action": "SUBSCRIBE", "topics": ["a"]}'),
        ("sessions", b'["join","room"]'),
    ],
)
def test_a_first_message_that_begins_a_session_is_known(name: str, message: bytes) -> None:
    found = spoken_protocol(message, binary=False)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Yjs", b"\x00\x00\x01\x00"),  # y-websocket: sync step 1 of an empty document
        ("Yjs", b"\x05doc-7\x02\x00\x05token"),  # Hocuspocus: authentication
        ("Yjs", b"\x05doc-7\x00\x00\x01\x00"),  # Hocuspocus: sync step 1
        ("MQTT", b"\x10\x12\x00\x04MQTT\x05\x02\x00\x3c"),
    ],
)
def test_a_binary_first_message_that_begins_a_session_is_known(name: str, message: bytes) -> None:
    found = spoken_protocol(message, binary=True)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize(
    "message",
    [
        b"", b"4", b"401", b"hello", b"subscribe", b"message 1", b'"login"', b'{"text":"please join us"}', b"{",
        b"[1,2]",
        b'{"type":"ping"}', b'{"id":7,"question":"What is it?"}', b"\x00\x00\x00\x00", b"\x05", b"\x03\xff\xfe\xfd\x00",
        b"\xff" * 600, b"\x00" * 600,
    ],
)  # fmt: skip
@pytest.mark.parametrize("binary", [True, False])
def test_any_other_first_message_is_of_a_plain_websocket(message: bytes, binary: bool) -> None:
    assert spoken_protocol(message, binary=binary) is None


def test_of_a_long_message_the_beginning_counts() -> None:
    assert spoken_protocol(b'{"a":"' + b"x" * FIRST_BYTES + b'","type":"login"}', binary=False) is None


def test_signs_are_in_lower_case_where_paths_are_read_so() -> None:
    for protocol in STATEFUL:
        assert all(sign == sign.lower() for sign in protocol.segments | protocol.last)


def test_every_protocol_is_on_the_page() -> None:
    section = PAGE.split("## What `auto` does")[1].split("\n## ")[0]
    assert [protocol.name for protocol in STATEFUL if protocol.name not in section] == []
