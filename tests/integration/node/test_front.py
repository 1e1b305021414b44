"""Requests of browsers and proxies at a node's port: the believed headers, and the admitted pages and names."""

import pytest

from integration.node.conftest import StartNode
from integration.node.kit import PATH, SIGNER, TEXT, Peer, frame, head
from integration.node.test_handshake import answer, ticket
from ringway.errors import ConfigError
from ringway.node.config.node import NodeConfig
from ringway.protocol.forwarded import told_of
from ringway.protocol.keyring import Keyring
from ringway.protocol.ticket import TicketSigner

TRUSTED = ("127.0.0.0/8",)
TOLD = {"x_forwarded_for": "192.0.2.1", "x_forwarded_host": "app.example", "x_forwarded_proto": "https"}


def proved(made: str, signer: TicketSigner = SIGNER, **told: str) -> dict[str, str]:
    """The headers of a gateway that tells `told` of the client with the ticket `made`."""
    fields = [(name.replace("_", "-"), value) for name, value in told.items()]
    return {**told, "ringway_proof": signer.prove(made, told_of(fields))}


@pytest.mark.parametrize(
    ("origin", "headers", "status"),
    [
        ("http://localhost", {}, 101),
        ("https://localhost", {}, 403),  # the scheme is a part of an origin
        ("https://localhost", {"x_forwarded_proto": "https"}, 101),
        ("https://localhost", {"x_forwarded_proto": "wss"}, 101),
        ("http://localhost", {"x_forwarded_proto": "https"}, 403),
        ("https://app.example", TOLD, 101),
        ("https://app.example", {"forwarded": "for=192.0.2.1;host=app.example;proto=https"}, 101),
        ("https://localhost", TOLD, 403),
        ("https://public.example", {}, 101),  # its own public address
        ("https://evil.example", TOLD, 403),
    ],
)
async def test_a_page_is_of_the_origin_that_a_trusted_proxy_tells(
    start_node: StartNode, origin: str, headers: dict[str, str], status: int
) -> None:
    node = await start_node(trusted_proxies=TRUSTED, public_url="wss://public.example/connection/websocket")
    got, _, body = await answer(node.port, head(origin=origin, **headers))
    assert got == status, body


async def test_nobody_else_is_believed(start_node: StartNode) -> None:
    node = await start_node()
    for headers in (TOLD, {"forwarded": "for=192.0.2.1;host=app.example;proto=https"}, {**TOLD, "ringway_proof": "x"}):
        for path in (PATH, f"{PATH}?ticket={ticket()}"):
            assert (await answer(node.port, head(path, origin="https://app.example", **headers)))[0] == 403


async def test_a_gateway_is_believed_by_its_proof(start_node: StartNode) -> None:
    node = await start_node(allowed_hosts=())
    made = ticket()
    path = f"{PATH}?ticket={made}"
    told = proved(made, **TOLD)
    page = {"origin": "https://app.example", "host": "inner.example"}
    for wrong in (
        proved(ticket(nonce=b"nonce-02"), **TOLD),  # of another client
        proved(made, TicketSigner(Keyring(b"another secret")), **TOLD),
        {**told, "x_forwarded_host": "evil.example"},
        {**told, "x_forwarded_proto": "http"},
        {**told, "ringway_proof": told["ringway_proof"] + "="},
        {**told, "ringway_proof": "\xff"},
    ):
        assert (await answer(node.port, head(path, **page, **wrong)))[0] == 403
    assert (await answer(node.port, head(path, **page, **told)))[0] == 101


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:9101", 101),
        ("127.0.0.1:9101", 101),
        ("[::1]", 101),
        ("listed.example", 101),
        ("public.example", 101),
        ("evil.example", 403),
        ("evil", 403),
        ("localhost.evil.example", 403),
    ],
)
async def test_names_that_could_be_anybodys_are_refused_on_loopback(
    start_node: StartNode, host: str, status: int
) -> None:
    node = await start_node(allowed_hosts=("listed.example",), public_url="wss://public.example/connection/websocket")
    got, _, body = await answer(node.port, head(host=host))
    assert got == status, body
    got, _, body = await answer(node.port, head(host=host, origin=f"http://{host}"))
    assert got == status, body


async def test_who_listens_to_others_too_is_not_asked_for_names(start_node: StartNode) -> None:
    node = await start_node(host="0.0.0.0", allowed_hosts=())
    assert (await answer(node.port, head(host="evil.example")))[0] == 101
    assert (await answer(node.port, head(host="evil.example", origin="https://app.example")))[0] == 403


@pytest.mark.parametrize(
    ("listed", "origin", "status"),
    [
        ("capacitor://localhost", "capacitor://localhost", 101),
        ("tauri://localhost", "tauri://localhost", 101),
        ("chrome-extension://abc", "chrome-extension://abc", 101),
        ("null", "null", 101),
        ("https://*.app.example", "https://a.app.example", 101),
        ("https://*.app.example", "https://app.example.evil.example", 403),
        ("capacitor://localhost", "ionic://localhost", 403),
    ],
)
async def test_listed_origins_of_any_form_are_let_in(
    start_node: StartNode, listed: str, origin: str, status: int
) -> None:
    node = await start_node(allowed_origins=(listed,))
    assert (await answer(node.port, head(origin=origin)))[0] == status


@pytest.mark.parametrize("field", ["allowed_origins", "allowed_hosts", "trusted_proxies"])
def test_lists_are_checked_at_the_start(field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        NodeConfig(**{field: ("https://app.example/path", "a b")})  # type: ignore[arg-type]
    assert len(caught.value.problems) == 2


async def test_large_heads_are_a_setting(start_node: StartNode) -> None:
    node = await start_node(head_bytes_max=32 * 1024, headers_max=100)
    request = head(cookie="c" * 17 * 1024, **{f"x_{index}": "1" for index in range(70)})
    assert (await answer(node.port, request))[0] == 101


async def test_a_head_that_is_not_whole_in_time_is_told(start_node: StartNode) -> None:
    node = await start_node(handshake_deadline_s=0.2)
    status, fields, _ = await answer(node.port, b"GET / HTTP/1.1\r\nHost: x\r\n")
    assert (status, fields["connection"]) == (408, "close")


async def test_a_refused_body_resets_nothing(start_node: StartNode) -> None:
    node = await start_node()
    peer = await Peer.tcp(node.port)
    peer.raw(head(method="POST", content_length="1000000") + b"x" * 500_000)
    status, fields, _ = await peer.handshake(b"x" * 500_000)
    assert (status, fields["allow"]) == (405, "GET, HEAD")
    peer.writer.write_eof()
    await peer.ended()
    peer.abort()


async def test_what_comes_with_the_handshake_is_taken(start_node: StartNode) -> None:
    node = await start_node()
    publish = b'{"id":2,"publish":{"channel":"c","data":"%b"}}' % (b"d" * 9_000)
    whole = head() + frame(TEXT, b'{"id":1,"connect":{}}') + frame(TEXT, publish)
    for size in (97, 1000, 1 << 16):  # in pieces of so many bytes
        peer = await Peer.tcp(node.port)
        for start in range(0, len(whole), size):
            peer.raw(whole[start : start + size])
            await peer.writer.drain()
        await peer.reader.readuntil(b"\r\n\r\n")
        assert "connect" in await peer.reply(1)
        assert await peer.reply(2) == {"id": 2, "publish": {}}
        peer.abort()


async def test_a_wish_for_http2_is_no_handshake(start_node: StartNode) -> None:
    node = await start_node()
    request = head(upgrade="h2c", connection="Upgrade, HTTP2-Settings", sec_websocket_key=None)
    status, fields, _ = await answer(node.port, request)
    assert (status, fields["upgrade"], fields["connection"]) == (426, "websocket", "Upgrade, close")
    assert (await answer(node.port, head("/", upgrade="h2c", sec_websocket_key=None)))[0] == 404


V2_TLS = (
    b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x14" + bytes((203, 0, 113, 7, 10, 0, 0, 1)) + b"\xc3\x57\x01\xbb"
    b"\x20\x00\x05\x01\x00\x00\x00\x00"
)


async def test_a_balancer_tells_where_a_connection_comes_from(start_node: StartNode) -> None:
    node = await start_node(proxy_protocol=True, trusted_proxies=TRUSTED, allowed_hosts=())
    v1 = b"PROXY TCP4 203.0.113.7 10.0.0.1 50007 443\r\n"
    page = head(origin="https://localhost")
    assert (await answer(node.port, V2_TLS + page))[0] == 101  # the client spoke TLS with the balancer
    assert (await answer(node.port, v1 + page))[0] == 403
    assert (await answer(node.port, v1 + head(origin="https://localhost", x_forwarded_proto="https")))[0] == 403
    assert (await answer(node.port, v1 + head()))[0] == 101
    assert (await answer(node.port, v1 + head(host="app.example")))[0] == 101  # P-2.6.2: it comes from the balancer
    for wrong in (b"", b"PROXY TCP4 x\r\n", V2_TLS[:12] + b"\xff" * 4):
        status, _, body = await answer(node.port, wrong + head())
        assert status == 400
        assert b"PROXY" in body


async def test_nobody_else_can_claim_an_address(start_node: StartNode) -> None:
    for node in (
        await start_node("n1"),
        await start_node("n2", proxy_protocol=True, trusted_proxies=("192.0.2.0/24",)),
    ):
        assert (await answer(node.port, V2_TLS + head()))[0] == 400
        assert (await answer(node.port, head()))[0] == 101
