"""Admission of clients: handshake rules, bounds, tickets and origins, over real sockets."""

import asyncio
import gc
import json
import time
from collections.abc import Callable

import pytest

from integration.node.conftest import Dial, StartNode
from integration.node.kit import KEYRING, PATH, SIGNER, Peer, eventually, head
from ringway.core import pending
from ringway.engine.memory.engine import MemoryHub
from ringway.node.connection.handshake import Handshake
from ringway.protocol.head import HeadReader
from ringway.protocol.keyring import Keyring
from ringway.protocol.order import SetState, encode, node_address
from ringway.protocol.report import Report
from ringway.protocol.ticket import TicketSigner
from ringway.types import Incarnation, Issuer, NodeName, Role
from support.members import Speaker
from support.sealed import sealed_bus

GATEWAY = Issuer("0badcafe")


async def answer(port: int, request: bytes) -> tuple[int, dict[str, str], bytes]:
    peer = await Peer.tcp(port)
    try:
        return await peer.handshake(request)
    finally:
        peer.abort()


def ticket(
    node: str = "n1", *, nonce: bytes = b"nonce-01", now: float | None = None, signer: TicketSigner = SIGNER
) -> str:
    return signer.issue(NodeName(node), GATEWAY, nonce, time.time() if now is None else now)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 101),
        ({"connection": "keep-alive, Upgrade"}, 101),  # Firefox
        ({"upgrade": "WebSocket"}, 101),
        ({"path": "/"}, 404),
        ({"path": PATH + "/more"}, 404),
        ({"path": "/%ff"}, 404),
        ({"method": "POST"}, 405),
        ({"method": "HEAD"}, 405),
        ({"method": "PUT", "content_length": "5"}, 405),
        ({"method": "POST", "transfer_encoding": "chunked"}, 405),
        ({"method": "POST", "path": "/"}, 404),
        ({"method": "BREW"}, 400),
        ({"version": "1.0"}, 505),
        ({"version": "2.0"}, 505),
        ({"sec_websocket_version": "8"}, 426),
        ({"sec_websocket_version": None}, 426),
        ({"sec_websocket_key": None}, 400),
        ({"sec_websocket_key": "short"}, 400),
        ({"upgrade": "h2c"}, 400),
        ({"upgrade": None}, 400),
        ({"connection": "close"}, 400),
        ({"host": None}, 400),
        ({"content_length": "5"}, 400),
        ({"transfer_encoding": "chunked"}, 400),
        ({"path": PATH + "?key=a&key=b"}, 400),
        ({"path": PATH + "?key=" + "k" * 1025}, 400),
        ({"path": PATH + "?a=1" + "&a=1" * 70}, 400),
        ({"path": PATH + "?key=%ff%00&%ff=%"}, 101),
        ({"path": PATH + "?key=" + "k" * 1024}, 101),
        ({"sec_websocket_protocol": "centrifuge-protobuf"}, 400),
        ({f"x_{i}": "1" for i in range(70)}, 431),
        ({f"x_{i}": "1" for i in range(140)}, 431),
        ({"cookie": "c" * 17_000}, 431),
        ({"path": "http://localhost" + PATH}, 101),
        ({"path": "ftp://localhost" + PATH}, 400),
        ({"x_a": "a\0b"}, 400),
        ({"host": "two hosts"}, 400),
    ],
)
async def test_a_handshake_is_valid_or_refused(start_node: StartNode, headers: dict[str, str], status: int) -> None:
    node = await start_node()
    got, fields, body = await answer(node.port, head(**headers))
    assert got == status, body
    if status != 101:
        assert fields["connection"] == "close"
        assert fields["content-type"] == "application/json"
        assert fields["cache-control"] == "no-store"
        assert headers.get("method") == "HEAD" or set(json.loads(body)) == {"error"}
    assert ("allow" in fields) == (status == 405)
    if status == 426:
        assert fields["sec-websocket-version"] == "13"
    await eventually(lambda: node.report().pending == 0)


async def test_the_json_subprotocol_is_answered(start_node: StartNode) -> None:
    node = await start_node()
    _, fields, _ = await answer(node.port, head(sec_websocket_protocol="centrifuge-protobuf, centrifuge-json"))
    assert fields["sec-websocket-protocol"] == "centrifuge-json"


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 101),
        ("http://localhost", 101),
        ("http://localhost:80", 101),
        ("HTTP://LOCALhost", 101),
        ("https://app.example", 101),  # allowed by configuration
        ("https://app.example:444", 403),
        ("http://app.example", 403),
        ("https://evil.example", 403),
        ("null", 403),
        ("https://app.example.evil.example", 403),
        ("https://evilapp.example", 403),
        ("https://app.example@evil.example", 403),
        ("file://", 403),
        ("http://localhost:8080", 403),
        ("", 403),
    ],
)
async def test_pages_of_other_sites_are_refused(start_node: StartNode, origin: str | None, status: int) -> None:
    node = await start_node(allowed_origins=("https://app.example",))
    got, _, body = await answer(node.port, head(origin=origin))
    assert got == status, body


async def test_pages_of_a_gateway_may_connect_directly(start_node: StartNode, hub: MemoryHub) -> None:
    node = await start_node()
    page = head(origin="https://ring.example")
    assert (await answer(node.port, page))[0] == 403
    gateway = hub.open()
    name = NodeName("g1")
    report = Report(
        name=name,
        incarnation=Incarnation(GATEWAY),
        role=Role.GATEWAY,
        seq=1,
        url="http://10.0.0.1:8000",
        public_url="wss://ring.example",
    )
    speaker = Speaker(gateway, KEYRING)
    await speaker.announce(report)
    await eventually(lambda: "https://ring.example" in node.gateways.origins)
    assert (await answer(node.port, page))[0] == 101
    await speaker.withdraw(report)
    await eventually(lambda: not node.gateways.origins)
    assert (await answer(node.port, page))[0] == 403


async def test_a_ticket_admits_once(start_node: StartNode) -> None:
    node = await start_node()
    request = head(f"{PATH}?ticket={ticket()}")
    assert (await answer(node.port, request))[0] == 101
    status, _, body = await answer(node.port, request)
    assert (status, b"used before" in body) == (403, True)
    assert node.report().taken == {GATEWAY: 1}


async def test_a_ticket_is_no_excuse_for_a_page_of_another_site_and_is_not_spent_on_it(start_node: StartNode) -> None:
    node = await start_node()
    target = f"{PATH}?ticket={ticket()}"
    assert (await answer(node.port, head(target, origin="https://any.example")))[0] == 403
    assert (await answer(node.port, head(target)))[0] == 101


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (lambda: "x", b"cannot be read"),
        (lambda: "A" * 44, b"forged"),
        (lambda: ticket("n2"), b"another node"),
        (lambda: ticket(signer=TicketSigner(Keyring(b"another secret"))), b"forged"),
        (lambda: ticket(now=time.time() - 60), b"expired"),
        (lambda: ticket(now=time.time() + 3600), b"future"),
    ],
    ids=["unreadable", "made up", "another node's", "another cluster's", "expired", "of the future"],
)
async def test_a_wrong_ticket_is_refused(start_node: StartNode, wrong: Callable[[], str], why: bytes) -> None:
    node = await start_node()
    status, _, body = await answer(node.port, head(f"{PATH}?ticket={wrong()}"))
    assert (status, why in body) == (403, True), body
    assert node.report().taken == {}


async def test_a_slow_handshake_is_cut_at_its_deadline(start_node: StartNode) -> None:
    node = await start_node(handshake_deadline_s=0.5)
    peer = await Peer.tcp(node.port)
    begun = time.monotonic()
    dripping = True

    async def drip() -> None:  # a byte now and then does not extend it
        for byte in head():
            peer.raw(bytes((byte,)))
            await asyncio.sleep(0.02)
            if not dripping:
                return

    task = asyncio.create_task(drip())
    await peer.ended()
    dripping = False
    await task
    assert time.monotonic() - begun >= 0.4
    await eventually(lambda: node.report().pending == 0)
    peer.abort()


async def test_a_head_that_does_not_end_is_cut(start_node: StartNode) -> None:
    node = await start_node()
    peer = await Peer.tcp(node.port)
    peer.raw(b"GET / HTTP/1.1\r\nx: " + b"y" * 20_000)
    await peer.ended()
    peer.abort()


async def test_pending_handshakes_are_bounded(
    start_node: StartNode, dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending, "SILENT_AFTER_S", 60.0)  # all have only just come
    node = await start_node(pending_max=3, retry_after_s=7)
    waiting = [await dial(node) for _ in range(2)]  # upgraded, no connect command
    silent = await Peer.tcp(node.port)
    await eventually(lambda: node.report().pending == 3)
    status, fields, body = await answer(node.port, head())
    assert (status, fields["retry-after"]) == (503, "7"), body
    await waiting[0].connect()
    await eventually(lambda: node.report().pending == 2)
    await dial(node)
    silent.abort()


async def test_where_all_have_only_just_come_more_are_shed_at_twice_the_bound(
    start_node: StartNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending, "SILENT_AFTER_S", 60.0)
    node = await start_node(pending_max=2, handshake_deadline_s=60.0)
    silent = [await Peer.tcp(node.port) for _ in range(4)]
    await eventually(lambda: node.report().pending == 4)
    fifth = await Peer.tcp(node.port)
    status, fields, _ = await fifth.handshake(b"")  # it is told before it has sent a word
    assert (status, fields["connection"]) == (503, "close")
    assert int(fields["retry-after"]) >= 2
    fifth.raw(head())  # and what it sends all the same resets nothing
    fifth.writer.write_eof()
    await fifth.ended()
    assert node.stats.shed == 1
    await eventually(lambda: not node.clients.handshakes.lingering)
    for peer in [*silent, fifth]:
        peer.abort()
    await eventually(lambda: node.report().pending == 0)
    assert (await answer(node.port, head()))[0] == 101


async def test_connections_are_bounded(start_node: StartNode, dial: Dial) -> None:
    node = await start_node(connections_max=2)
    peers = [await dial(node, connect=True) for _ in range(2)]
    status, fields, body = await answer(node.port, head(f"{PATH}?ticket={ticket()}"))
    assert status == 503, body
    assert "retry-after" in fields
    peers[0].abort()
    await eventually(lambda: node.connections == 1)
    assert (await answer(node.port, head(f"{PATH}?ticket={ticket()}")))[0] == 101, (
        "the refusal must not redeem the ticket"
    )


async def test_a_draining_node_takes_tickets_only(start_node: StartNode, hub: MemoryHub) -> None:
    node = await start_node()
    await sealed_bus(hub.open(), KEYRING).call(node_address(node.name), encode(SetState(draining=True)), timeout_s=5)
    assert (await answer(node.port, head()))[0] == 503
    assert (await answer(node.port, head(f"{PATH}?ticket={ticket()}")))[0] == 101


async def test_nothing_of_a_handshake_stays_in_memory(start_node: StartNode, dial: Dial) -> None:
    node = await start_node()
    peers = [await dial(node, connect=True) for _ in range(5)]
    gc.collect()
    kept = [each for each in gc.get_objects() if isinstance(each, Handshake | HeadReader)]
    assert len(kept) < len(peers)
