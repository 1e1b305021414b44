"""Requests of browsers, proxies and orchestrators to a gateway's public port, over real sockets."""

import asyncio

import pytest
from gateway_kit import answer_101, handshake, raw_backend, read_head

from ringway.errors import ConfigError
from ringway.gateway.config.gateway import GatewayConfig

H2C = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA")


def ask(target: str, *headers: str, method: str = "GET", host: str = "localhost") -> bytes:
    return ("\r\n".join([f"{method} {target} HTTP/1.1", f"Host: {host}", *headers]) + "\r\n\r\n").encode()


@pytest.fixture
async def noting():
    """A backend that opens everything and notes the heads that it gets, as a dict of lists."""
    heads: asyncio.Queue[dict[str, list[str]]] = asyncio.Queue()

    async def note(reader, writer):
        head = await read_head(reader)
        found: dict[str, list[str]] = {}
        for line in head.decode("latin-1").split("\r\n")[1:]:
            name, _, value = line.partition(": ")
            found.setdefault(name.lower(), []).append(value)
        heads.put_nowait(found)
        writer.write(answer_101(head))
        await reader.read()

    async with raw_backend(note) as url:
        yield url, heads


@pytest.mark.parametrize("path", ["/gateway", "/healthz", "/readyz"])
async def test_a_wish_for_http2_is_ignored(start_rig, path):
    rig = await start_rig("ws://127.0.0.1:9")
    client = await rig.dial()
    await client.send(ask(path, *H2C) + ask("/healthz"))
    assert [(await client.response())[0] for _ in range(2)] == [200, 200]


async def test_a_page_is_shown_to_who_would_rather_speak_http2(start_rig, tmp_path):
    (tmp_path / "index.html").write_text('"a page"')
    rig = await start_rig("ws://127.0.0.1:9", pages=str(tmp_path))
    client = await rig.dial()
    await client.send(ask("/", *H2C) + ask("/none", *H2C))
    assert (await client.response())[0::2] == (200, "a page")
    assert (await client.response())[0] == 404


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/gateway", "/", "/index.html", "/none", "http://localhost/none"]
)
async def test_head_has_no_body(start_rig, tmp_path, path):
    (tmp_path / "index.html").write_text('"a page"')
    rig = await start_rig("ws://127.0.0.1:9", pages=str(tmp_path))
    client = await rig.dial()
    await client.send(ask(path) + ask(path, method="HEAD") + ask("/healthz"))
    status, headers, _ = await client.response()
    again, same = await client.head()
    assert again == status
    if path == "/gateway":  # its length is not known before a node is chosen
        del headers["content-length"]
    assert same == headers
    assert (await client.response())[0::2] == (200, {"status": "ok"})
    assert sum(rig.stats.placements.values()) == (path == "/gateway")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (ask("/", method="HEAD", host="localhost\r\nX: " + "x" * 20_000), 431),
        (ask("/", "Content-Length: 5", method="HEAD"), 400),
        (ask("/", "Host: other", method="HEAD"), 400),
        (handshake("/", Host="localhost").replace(b"GET", b"HEAD", 1), 405),
        (handshake("/healthz", Host="localhost").replace(b"GET", b"HEAD", 1), 400),
        (ask("/healthz", "Connection: close", method="HEAD"), 200),
        (ask("/none", "Connection: close", method="HEAD"), 404),
        (ask("/healthz", method="HEAD", host="evil.example"), 403),
    ],
    ids=["large", "body", "two hosts", "handshake", "own path", "last", "last 404", "host"],
)
async def test_refusals_of_head_have_no_body_either(start_rig, request_, status):
    rig = await start_rig("ws://127.0.0.1:9", allowed_hosts=())
    client = await rig.dial()
    await client.send(request_)
    client.writer.write_eof()
    head, _, body = (await client.rest()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert body == b""


async def test_a_target_may_name_the_server(start_rig, noting):
    url, heads = noting
    rig = await start_rig(url, allowed_hosts=())
    client = await rig.dial()
    await client.send(ask("http://localhost/healthz") + ask("http://127.0.0.1:1/gateway?key=a", host="evil.example"))
    assert [(await client.response())[0] for _ in range(2)] == [200, 200]
    await client.send(ask("http://evil.example/healthz"))
    assert (await client.response())[0] == 403  # what the target says counts
    await client.send(handshake("http://localhost:1/room?a=b", Host="other.example"))
    assert (await client.head())[0] == 101
    assert (await heads.get())["host"] == ["localhost:1"]
    await client.close()


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "evil", "localhost.evil.example", "127.0.0.1.nip.io"]
)
async def test_a_name_that_could_be_anybodys_is_refused_on_loopback(start_rig, noting, host):
    url, _ = noting
    rig = await start_rig(url, allowed_hosts=("app.example",), public_url="https://ring.example")
    for request in (
        ask("/gateway", host=host),
        ask("/healthz", host=host),
        handshake("/", Host=host),
        handshake("/", Host=host, Origin=f"http://{host}"),
    ):
        client = await rig.dial()
        await client.send(request)
        status, _, body = await client.response()
        assert status == 403
        assert "allowed_hosts" in body["error"]
    assert rig.stats.relays_opened == 0


@pytest.mark.parametrize(
    ("host", "status"),
    [("chat.example", 101), ("CHAT.example.:8000", 101), ("a.feed.example", 101), ("feed.example", 403), ("b.c", 403)],
)
async def test_the_hosts_of_routes_are_known(start_rig, noting, host, status):
    url, _ = noting
    rig = await start_rig(url, allowed_hosts=(), routes=("host=chat.example.", "host=*.Feed.example", "path=/"))
    client = await rig.dial()
    await client.send(handshake("/", Host=host))
    assert (await client.head())[0] == status


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "127.0.0.1:1", "[::1]:1", "192.0.2.1", "app.example:1", "ring.example"]
)
async def test_known_names_are_let_in(start_rig, noting, host):
    url, _ = noting
    rig = await start_rig(url, allowed_hosts=("app.example",), public_url="https://ring.example")
    client = await rig.dial()
    await client.send(ask("/gateway", host=host) + handshake("/", Host=host))
    assert (await client.response())[0] == 200
    assert (await client.head())[0] == 101
    await client.close()


async def test_a_trusted_proxy_on_the_machine_may_say_any_name(start_rig, noting):
    url, _ = noting
    rig = await start_rig(url, allowed_hosts=(), trusted_proxies=("127.0.0.1/32",))
    client = await rig.dial()
    await client.send(handshake("/", Host="app.example"))
    assert (await client.head())[0] == 101
    await client.close()


async def test_who_listens_to_others_too_is_not_asked_for_names(start_rig, noting):
    url, _ = noting
    rig = await start_rig(url, host="0.0.0.0", allowed_hosts=())
    client = await rig.dial()
    await client.send(ask("/healthz", host="app.example"))
    assert (await client.response())[0] == 200


KEPT = {
    "Origin": "https://page.test",
    "Cookie": "a=b",
    "Authorization": "Bearer t",
    "Sec_WebSocket_Protocol": "chat",
    "Sec_WebSocket_Extensions": "x-one",
    "Sec_Fetch_Site": "cross-site",
    "User_Agent": "ua",
}


@pytest.mark.parametrize("trusted", [(), ("127.0.0.1/32",)], ids=["client", "proxy"])
async def test_connection_names_no_header_away_that_requests_are_judged_by(start_rig, noting, trusted):
    url, heads = noting
    rig = await start_rig(url, trusted_proxies=trusted)
    names = [name.replace("_", "-") for name in KEPT]
    more = [
        "Host",
        "Sec-WebSocket-Key",
        "sec-websocket-version",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-User",
        "close",
    ]
    client = await rig.dial()
    await client.send(handshake(Connection=", ".join(["Upgrade", *names, *more]), X_User="u", **KEPT))
    assert (await client.head())[0] == 101
    head = await heads.get()
    for name, value in KEPT.items():
        assert head[name.replace("_", "-").lower()] == [value]
    assert head["host"] == ["localhost"]
    assert head["x-forwarded-for"] == ["127.0.0.1"]
    assert ("x-user" in head) == bool(trusted)  # a client cannot take away what its proxy has set
    await client.close()


async def test_names_that_programs_take_for_others_are_not_carried_on(start_rig, noting):
    url, heads = noting
    rig = await start_rig(url)
    lies = b"X_Forwarded_For: 6.6.6.6\r\nRemote_User: root\r\nX.Forwarded.For: 6.6.6.6\r\nX-Fine: 1\r\n"
    client = await rig.dial()
    await client.send(handshake().replace(b"\r\n\r\n", b"\r\n" + lies + b"Ringway-Proof: x\r\n\r\n"))
    assert (await client.head())[0] == 101
    head = await heads.get()
    assert "x-fine" in head
    assert not [name for name in head if "_" in name or "." in name or name == "ringway-proof"]
    await client.close()


@pytest.mark.parametrize(
    ("told", "chain"),
    [
        ("203.0.113.7:50007", "203.0.113.7, 127.0.0.1"),
        ("[2001:db8::1]:443", "2001:db8::1, 127.0.0.1"),
        ("2001:db8::1", "2001:db8::1, 127.0.0.1"),
        ("6.6.6.6, 203.0.113.7:1, 127.0.0.2:7", "203.0.113.7, 127.0.0.2, 127.0.0.1"),
        ("unknown", "127.0.0.1"),
    ],
    ids=["port", "v6 with a port", "v6", "several", "unknown"],
)
async def test_addresses_of_proxies_come_in_many_forms(start_rig, noting, told, chain):
    url, heads = noting
    rig = await start_rig(url, trusted_proxies=("127.0.0.0/8",))
    client = await rig.dial()
    await client.send(handshake(X_Forwarded_For=told))
    assert (await client.head())[0] == 101
    assert (await heads.get())["x-forwarded-for"] == [chain]
    await client.close()


async def test_the_standard_header_of_a_proxy_is_read(start_rig, noting):
    url, heads = noting
    rig = await start_rig(url, trusted_proxies=("127.0.0.0/8",))
    client = await rig.dial()
    await client.send(handshake(Forwarded='for="[2001:db8::1]:4711";proto=https;host=app.example'))
    assert (await client.head())[0] == 101
    head = await heads.get()
    assert head["x-forwarded-for"] == ["2001:db8::1, 127.0.0.1"]
    assert (head["x-forwarded-proto"], head["x-forwarded-host"]) == (["https"], ["app.example"])
    await client.close()


async def test_large_heads_are_a_setting(start_rig, noting):
    url, heads = noting
    rig = await start_rig(url, head_bytes_max=32 * 1024, headers_max=100)
    client = await rig.dial()
    many = {f"X_{index}": "1" for index in range(70)}
    await client.send(handshake(Cookie="c" * 17 * 1024, **many))
    assert (await client.head())[0] == 101
    assert len((await heads.get())["cookie"][0]) == 17 * 1024
    await client.close()


@pytest.mark.parametrize(
    ("listed", "origin", "told"),
    [
        ("https://app.example", "https://app.example", True),
        ("https://*.app.example", "https://a.app.example", True),
        ("https://*.app.example", "https://app.example", False),
        ("capacitor://localhost", "capacitor://localhost", True),
        ("null", "null", True),
        ("https://app.example", "null", False),
    ],
)
async def test_pages_that_are_listed_may_read_where_to_connect(start_rig, listed, origin, told):
    rig = await start_rig("ws://127.0.0.1:9", allowed_origins=(listed,))
    client = await rig.dial()
    await client.send(ask("/gateway", f"Origin: {origin}"))
    _, headers, _ = await client.response()
    assert headers.get("access-control-allow-origin") == (origin if told else None)


@pytest.mark.parametrize("field", ["allowed_origins", "allowed_hosts", "trusted_proxies"])
def test_lists_are_checked_at_the_start(field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        GatewayConfig(**{field: ("https://app.example/path", "a b")})
    assert len(caught.value.problems) == 2
    assert all(field in problem for problem in caught.value.problems)


V1 = b"PROXY TCP4 203.0.113.7 10.0.0.1 50007 443\r\n"
V2 = (
    b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x14" + bytes((203, 0, 113, 7, 10, 0, 0, 1)) + b"\xc3\x57\x01\xbb"
    b"\x20\x00\x05\x01\x00\x00\x00\x00"
)
LOCAL = b"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
BALANCER = {"proxy_protocol": True, "trusted_proxies": ("127.0.0.0/8",)}


@pytest.mark.parametrize(
    ("header", "chain", "scheme"),
    [
        (V1, "203.0.113.7", "http"),
        (V2, "203.0.113.7", "https"),
        (LOCAL, "127.0.0.1", "http"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1", "http"),
    ],
    ids=["v1", "v2 with TLS", "local", "unknown"],
)
@pytest.mark.parametrize("piece", [1 << 16, 3], ids=["whole", "in pieces"])
async def test_a_balancer_tells_where_a_connection_comes_from(start_rig, noting, header, chain, scheme, piece):
    url, heads = noting
    rig = await start_rig(url, **BALANCER)
    client = await rig.dial()
    whole = header + ask("/healthz") + handshake(X_Forwarded_For="6.6.6.6" if chain[0] == "2" else None)
    for start in range(0, len(whole), piece):
        await client.send(whole[start : start + piece])
        await asyncio.sleep(0)
    assert (await client.response())[0] == 200
    assert (await client.head())[0] == 101
    head = await heads.get()
    assert head["x-forwarded-for"] == [chain]  # the balancer names a stranger
    assert head["x-forwarded-proto"] == [scheme]
    await client.close()


@pytest.mark.parametrize("header", [V1, V2, LOCAL], ids=["v1", "v2", "local"])
async def test_what_a_balancer_carries_to_loopback_may_have_any_name(start_rig, header):
    """P-2.6.2: the connection is the balancer's, whoever its client is."""
    rig = await start_rig("ws://127.0.0.1:9", allowed_hosts=(), **BALANCER)
    client = await rig.dial()
    await client.send(header + ask("/healthz", host="app.example"))
    assert (await client.response())[0] == 200


@pytest.mark.parametrize("first", [b"", b"PROXY TCP4 x\r\n", V2[:12] + b"\xff" * 4], ids=["none", "bad v1", "bad v2"])
async def test_where_a_header_is_asked_for_none_is_guessed(start_rig, first):
    rig = await start_rig("ws://127.0.0.1:9", **BALANCER)
    client = await rig.dial()
    await client.send(first + ask("/healthz"))
    status, headers, body = await client.response()
    assert (status, headers["connection"]) == (400, "close")
    assert "PROXY" in body["error"]


@pytest.mark.parametrize("header", [V1, V2], ids=["v1", "v2"])
@pytest.mark.parametrize(
    "settings", [{}, {"proxy_protocol": True, "trusted_proxies": ("192.0.2.0/24",)}], ids=["off", "of a stranger"]
)
async def test_nobody_else_can_claim_an_address(start_rig, header, settings):
    rig = await start_rig("ws://127.0.0.1:9", **settings)
    client = await rig.dial()
    await client.send(header + ask("/healthz"))
    assert (await client.response())[0] == 400
    if settings:  # and others are served as ever
        client = await rig.dial()
        await client.send(ask("/healthz"))
        assert (await client.response())[0] == 200


async def test_a_header_that_does_not_come_is_waited_for_no_longer_than_a_head(start_rig):
    rig = await start_rig("ws://127.0.0.1:9", head_deadline_s=0.2, **BALANCER)
    for first in (b"", V1[:20], V2[:20], V1 + b"GET"):
        client = await rig.dial()
        await client.send(first)
        assert (b"408" in await client.rest()) == (first == V1 + b"GET")


async def test_the_setting_needs_somebody_to_believe(start_rig):
    with pytest.raises(ConfigError, match="trusted_proxies"):
        GatewayConfig(proxy_protocol=True)
