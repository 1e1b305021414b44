"""TLS at the gateway's public port: who is let in, what backends are told, and that relays keep all their rules."""

import asyncio
import json
import os
import socket
import ssl
import struct
from contextlib import nullcontext
from pathlib import Path

import pytest
from gateway_kit import (
    PATIENCE_S,
    Raw,
    Rig,
    answer_101,
    eventually,
    handshake,
    masked,
    raw_backend,
    read_head,
    resident_bytes,
)
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

from support.authority import Authority

TEXT, BINARY, CLOSE = 0x81, 0x82, 0x88


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def port_files(authority: Authority) -> dict[str, tuple[str]]:
    """The settings of a port with a certificate for localhost."""
    cert, key = authority.sign("localhost", "localhost", "127.0.0.1")
    return {"tls_cert": (str(cert),), "tls_key": (str(key),)}


def trusting(authority: Authority, *, chain: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    """A client that trusts `authority`, and shows the certificate `chain`."""
    context = ssl.create_default_context(cafile=str(authority.path))
    if chain is not None:
        context.load_cert_chain(*chain)
    return context


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A backend that sends all frames back unmasked, by their payload; it ends after a close frame."""
    writer.write(answer_101(await read_head(reader)))
    peer = Raw(reader, writer)
    while True:
        first, payload = await peer.frame()
        writer.write(bytes((first, len(payload))) + payload)
        await writer.drain()
        if first == CLOSE:
            return


async def test_messages_of_all_sizes_pass_both_ways_and_the_backend_learns_of_tls(start_rig, authority, port_files):
    seen: list[str] = []

    async def answer(ws):
        seen.append(ws.request.headers["X-Forwarded-Proto"])
        async for message in ws:
            await ws.send(message)

    async with serve(answer, "127.0.0.1", 0, max_size=None, compression=None) as server:
        port = server.sockets[0].getsockname()[1]
        rig = await start_rig(f"ws://127.0.0.1:{port}", **port_files)
        url = f"wss://localhost:{rig.gateway.port}/"
        async with connect(url, ssl=trusting(authority), max_size=None, compression=None) as client:
            for size in (0, 1, 125, 126, 16_000, 70_000, 3_000_000):
                message = os.urandom(size)
                await client.send(message)
                assert await asyncio.wait_for(client.recv(), PATIENCE_S) == message
        assert client.close_code == 1000
        assert seen == ["https"]
        await rig.idle()


async def test_discovery_leads_clients_that_came_by_tls_to_wss(start_rig, authority, port_files):
    rig = await start_rig("ws://10.0.0.1:9000", **port_files)
    client = await rig.dial(tls=trusting(authority))
    await client.send(b"GET /gateway?path=/app HTTP/1.1\r\nHost: chat.example\r\n\r\n")
    status, _, body = await client.response()
    assert (status, body["url"]) == (200, "wss://chat.example/app")


async def test_http_without_tls_is_told_so(start_rig, port_files):
    rig = await start_rig("ws://10.0.0.1:9000", **port_files)
    client = await rig.dial()
    await client.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    status, headers, body = await client.response()
    assert (status, headers["connection"]) == (400, "close")
    assert body == {"error": "this port speaks TLS, and the request came without; use https:// or wss://"}
    assert await client.rest() == b""


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\x16",
        b"\x16\x03\x01",
        b"\x80\x2e\x01\x03\x01",
        b"\x16\x03\x01\xff\xff" + bytes(70_000),
        b"\x16\x03\x01\x40\x00" + b"\x01\x00\xff\xff" + bytes(40_000),
        b"\x15\x03\x03\x00\x02\x02\x28",
        b"\x17\x03\x03\x00\x05hello",
        b"\x00" * 100,
    ],
    ids=["silent", "half", "cut record", "SSL 2", "huge record", "huge hello", "alert", "data", "zeros"],
)
async def test_what_is_no_tls_is_closed_and_harms_no_other(start_rig, authority, port_files, sent):
    rig = await start_rig("ws://10.0.0.1:9000", tls_handshake_deadline_s=0.5, **port_files)
    client = await rig.dial()
    await client.send(sent)
    await client.rest()
    other = await rig.dial(tls=trusting(authority))
    await other.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await other.response())[0] == 200


@pytest.mark.parametrize(("oldest", "spoken"), [("1.2", "TLSv1_1"), ("1.3", "TLSv1_2")], ids=["1.1", "1.2"])
async def test_versions_before_the_oldest_are_refused(start_rig, authority, port_files, oldest, spoken):
    rig = await start_rig("ws://10.0.0.1:9000", tls_min_version=oldest, **port_files)
    context = trusting(authority)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1") if spoken == "TLSv1_1" else nullcontext():
        context.minimum_version = context.maximum_version = ssl.TLSVersion[spoken]
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await rig.dial(tls=context)


async def test_alpn_is_http_1_1(start_rig, authority, port_files):
    rig = await start_rig("ws://10.0.0.1:9000", **port_files)
    context = trusting(authority)
    context.set_alpn_protocols(["h2", "http/1.1"])
    client = await rig.dial(tls=context)
    assert client.writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"


async def test_the_name_that_a_client_asks_for_chooses_the_certificate(start_rig, authority):
    pairs = [authority.sign(name, name) for name in ("a.example", "b.example", "*.c.example")]
    rig = await start_rig(
        "ws://10.0.0.1:9000",
        tls_cert=tuple(str(cert) for cert, _ in pairs),
        tls_key=tuple(str(key) for _, key in pairs),
    )
    for name in ("a.example", "b.example", "x.c.example", "B.EXAMPLE"):
        await rig.dial(tls=trusting(authority), name=name)
    with pytest.raises(ssl.SSLCertVerificationError, match=r"d\.example"):
        await rig.dial(tls=trusting(authority), name="d.example")


async def test_backends_learn_the_subject_of_a_verified_certificate_and_of_no_other(start_rig, authority, port_files):
    heads: list[str] = []

    async def note(reader, writer):
        heads.append((await read_head(reader)).decode().lower())
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    async with raw_backend(note) as url:
        rig = await start_rig(url, tls_client_cert="optional", tls_client_ca=str(authority.path), **port_files)
        chain = authority.sign("alice, of ops")
        for context in (trusting(authority, chain=chain), trusting(authority)):
            client = await rig.dial(tls=context)
            await client.send(handshake(Ringway_Client_Subject="CN=root"))
            assert (await client.head())[0] == 403
    assert "ringway-client-subject: cn=alice\\, of ops\r\n" in heads[0]
    assert "ringway-client-subject" not in heads[1]
    assert "cn=root" not in "".join(heads)


async def test_without_tls_no_client_can_write_the_subject(start_rig):
    heads: list[str] = []

    async def note(reader, writer):
        heads.append((await read_head(reader)).decode().lower())

    async with raw_backend(note) as url:
        rig = await start_rig(url, trusted_proxies=("127.0.0.1",))
        client = await rig.dial()
        await client.send(handshake(Ringway_Client_Subject="CN=root", X_Forwarded_For="192.0.2.1"))
        await eventually(lambda: heads)
    assert "subject" not in heads[0]


async def test_a_certificate_that_is_required_must_be_shown_and_proven(start_rig, authority, port_files, tmp_path):
    (tmp_path / "stranger").mkdir()
    stranger = Authority(tmp_path / "stranger").sign("mallory")
    rig = await start_rig(
        "ws://10.0.0.1:9000", tls_client_cert="required", tls_client_ca=str(authority.path), **port_files
    )
    for context in (trusting(authority), trusting(authority, chain=stranger)):
        with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
            await _ask_health(rig, context)
    assert await _ask_health(rig, trusting(authority, chain=authority.sign("alice"))) == 200


async def _ask_health(rig: Rig, context: ssl.SSLContext) -> int:
    client = await rig.dial(tls=context)
    await client.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    return (await client.head())[0]


async def test_close_frames_and_the_closing_alert_pass_both_ways(start_rig, authority, port_files):
    async with raw_backend(echo) as url:
        rig = await start_rig(url, **port_files)
        client = await rig.dial(tls=trusting(authority))
        await client.send(handshake() + masked(TEXT, b"early"))
        assert (await client.head())[0] == 101
        assert await client.frame() == (TEXT, b"early")
        await client.send(masked(CLOSE, b"\x03\xe8bye"))
        assert await client.frame() == (CLOSE, b"\x03\xe8bye")
        assert await client.rest() == b""
        await client.close()
        await rig.idle()


async def test_a_client_that_ends_after_its_last_message_loses_none_of_it(start_rig, authority, port_files):
    got = bytearray()

    async def collect(reader, writer):
        writer.write(answer_101(await read_head(reader)))
        while piece := await reader.read(65536):
            got.extend(piece)

    frames = b"".join(masked(BINARY, bytes((n,)) * 1000) for n in range(200))
    async with raw_backend(collect) as url:
        rig = await start_rig(url, **port_files)
        client = await rig.dial(tls=trusting(authority))
        await client.send(handshake())
        assert (await client.head())[0] == 101
        await client.send(frames)
        await client.close()
        await rig.idle()
        await eventually(lambda: len(got) >= len(frames))
    assert bytes(got[: len(frames)]) == frames


async def test_a_lost_backend_and_a_stopping_gateway_are_told_by_close_frames(start_rig, authority, port_files):
    async def leave(reader, writer):
        writer.write(answer_101(await read_head(reader)))

    async with raw_backend(leave) as url:
        rig = await start_rig(url + ",on-move=close", **port_files)
        client = await rig.dial(tls=trusting(authority))
        await client.send(handshake())
        assert (await client.head())[0] == 101
        first, payload = await client.frame()
        assert (first, struct.unpack(">H", payload[:2])[0]) == (CLOSE, 1012)
        assert await client.rest() == b""
    async with raw_backend(echo) as url:
        rig = await start_rig(url, **port_files)
        client = await rig.dial(tls=trusting(authority))
        await client.send(handshake())
        assert (await client.head())[0] == 101
        stopping = asyncio.ensure_future(rig.gateway.stop())
        first, payload = await client.frame()
        assert (first, struct.unpack(">H", payload[:2])[0]) == (CLOSE, 1012)
        await client.close()
        await stopping


async def test_a_connection_that_is_reset_or_cut_without_an_alert_ends_the_relay(start_rig, authority, port_files):
    async with raw_backend(echo) as url:
        rig = await start_rig(url, **port_files)
        for end in (Raw.reset, _cut_without_alert):
            client = await rig.dial(tls=trusting(authority))
            await client.send(handshake())
            assert (await client.head())[0] == 101
            assert rig.stats.relays_open == 1
            end(client)
            await rig.idle()


def _cut_without_alert(client: Raw) -> None:
    with socket.socket(fileno=os.dup(client.writer.get_extra_info("socket").fileno())) as sock:
        sock.shutdown(socket.SHUT_WR)


async def test_a_client_that_does_not_read_stops_its_backend_and_costs_little_memory(start_rig, authority, port_files):
    sent = 0

    async def flood(reader, writer):
        nonlocal sent
        writer.write(answer_101(await read_head(reader)))
        frame = bytes((BINARY, 127)) + (100_000).to_bytes(8, "big") + bytes(100_000)
        while True:
            writer.write(frame)
            await writer.drain()
            sent += len(frame)

    async with raw_backend(flood) as url:
        rig = await start_rig(url, **port_files)
        client = await rig.dial(tls=trusting(authority))
        client.writer.transport.pause_reading()
        await client.send(handshake())
        before = resident_bytes()
        stopped_at = -1
        async with asyncio.timeout(PATIENCE_S):
            while sent == 0 or sent != stopped_at:
                stopped_at = sent
                await asyncio.sleep(0.5)
        assert sent < 40_000_000, "kernel buffers on two connections, and no more"
        assert resident_bytes() - before < 20_000_000
        client.writer.transport.abort()
        await rig.idle()


async def test_a_backend_that_does_not_read_stops_its_client(start_rig, authority, port_files):
    async def deaf(reader, writer):
        writer.write(answer_101(await read_head(reader)))
        writer.transport.pause_reading()
        await asyncio.Event().wait()

    async with raw_backend(deaf) as url:
        rig = await start_rig(url, **port_files)
        client = await rig.dial(tls=trusting(authority))
        await client.send(handshake())
        assert (await client.head())[0] == 101
        before, sent, frame = resident_bytes(), 0, masked(BINARY, bytes(100_000))
        is_stopped = False
        while sent < 100_000_000 and not is_stopped:
            try:
                async with asyncio.timeout(2):
                    await client.send(frame)
            except TimeoutError:
                is_stopped = True
            sent += len(frame)
        assert is_stopped
        assert resident_bytes() - before < 20_000_000
        client.writer.transport.abort()
    await rig.idle()


async def test_silent_sockets_make_room_for_clients(start_rig, authority, port_files):
    rig = await start_rig("ws://10.0.0.1:9000", heads_pending_max=8, tls_handshake_deadline_s=60, **port_files)
    silent = [await rig.dial() for _ in range(12)]
    await asyncio.sleep(0.6)  # younger sockets do not count as silent (core.pending)
    other = await rig.dial(tls=trusting(authority))
    await other.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await other.response())[0] == 200
    ended = [client for client in silent if client.reader.at_eof() or client.reader.exception()]
    assert ended


@pytest.mark.parametrize("version", [1, 2], ids=["v1", "v2"])
async def test_the_proxy_header_comes_before_tls(start_rig, authority, port_files, version):
    heads: list[str] = []

    async def note(reader, writer):
        heads.append((await read_head(reader)).decode())

    v1 = b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n"
    v2 = b"\r\n\r\n\x00\r\nQUIT\n\x21\x11" + struct.pack(
        ">H4s4sHH", 12, socket.inet_aton("192.0.2.7"), socket.inet_aton("198.51.100.1"), 4711, 443
    )
    async with raw_backend(note) as url:
        rig = await start_rig(url, trusted_proxies=("127.0.0.1",), proxy_protocol=True, **port_files)
        sock = socket.create_connection(("127.0.0.1", rig.gateway.port))
        header = v1 if version == 1 else v2
        for piece in (header[:5], header[5:]):
            sock.sendall(piece)
            await asyncio.sleep(0.05)
        sock.setblocking(False)
        client = Raw(*await asyncio.open_connection(sock=sock, ssl=trusting(authority), server_hostname="localhost"))
        await client.send(handshake())
        await eventually(lambda: heads)
        client.writer.transport.abort()
    assert "X-Forwarded-For: 192.0.2.7\r\n" in heads[0]
    assert "X-Forwarded-Proto: https\r\n" in heads[0]


async def test_many_clients_come_at_once(start_rig, authority, port_files):
    rig = await start_rig("ws://10.0.0.1:9000", **port_files)
    context = trusting(authority)

    async def ask() -> int:
        client = await rig.dial(tls=context)
        await client.send(b"GET /gateway HTTP/1.1\r\nHost: x\r\n\r\n")
        status, _, body = await client.response()
        assert json.dumps(body)
        await client.close()
        return status

    assert set(await asyncio.gather(*(ask() for _ in range(200)))) == {200}


async def test_plain_requests_and_their_bodies_pass_over_tls_with_the_clients_subject(start_rig, authority, port_files):
    heads: list[str] = []
    size = 300_000

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            heads.append((await read_head(reader)).decode().lower())
            body = await reader.readexactly(size)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + body[::-1])

    async with raw_backend(answer) as url:
        rig = await start_rig(
            url,
            routes=("path=/ http=true",),
            tls_client_cert="optional",
            tls_client_ca=str(authority.path),
            **port_files,
        )
        for context in (trusting(authority, chain=authority.sign("alice")), trusting(authority)):
            client = await rig.dial(tls=context)
            body = os.urandom(size)
            await client.send(
                b"POST /up HTTP/1.1\r\nHost: x\r\nRingway-Client-Subject: CN=root\r\nContent-Length: %d\r\n\r\n" % size
                + body
            )
            assert (await client.head())[0] == 200
            assert await asyncio.wait_for(client.reader.readexactly(size), PATIENCE_S) == body[::-1]
            await client.close()
    assert "ringway-client-subject: cn=alice\r\n" in heads[0]
    assert "x-forwarded-proto: https\r\n" in heads[0]
    assert "subject" not in heads[1]
