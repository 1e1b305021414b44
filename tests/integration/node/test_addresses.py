"""Many clients at one address do not shut out those at others (PROTOCOL.md P-2.12)."""

import asyncio
import json
import time

import pytest

from integration.node.conftest import StartNode
from integration.node.kit import PATH, SIGNER, Peer, eventually, head
from ringway.core import pending
from ringway.member import process
from ringway.types import Issuer, NodeName

GREEDY, OTHER = "127.0.0.2", "127.0.0.3"
GATEWAY = Issuer("0badcafe")


def ticketed(nonce: bytes) -> str:
    return f"{PATH}?ticket={SIGNER.issue(NodeName('n1'), GATEWAY, nonce, time.time())}"


async def knock(port: int, source: str, path: str = PATH) -> tuple[int, dict[str, str], bytes, Peer]:
    """Ask for a WebSocket from the address `source`."""
    peer = await Peer.tcp(port, source=source)
    return *(await peer.handshake(head(path))), peer


async def test_silent_sockets_make_room_for_those_that_come_new(
    start_node: StartNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending, "SILENT_AFTER_S", -60.0)
    node = await start_node(pending_max=5, handshake_deadline_s=60.0)
    silent = [await Peer.tcp(node.port, source=GREEDY) for _ in range(40)]
    await eventually(lambda: node.stats.evicted == 30)
    await silent[0].ended()
    status, _, body, plain = await knock(node.port, OTHER)
    assert status == 101, body
    status, _, body, with_ticket = await knock(node.port, OTHER, ticketed(b"nonce-01"))
    assert status == 101, body
    assert node.stats.shed == 0
    await silent[-1].handshake(head())  # the youngest are there still
    for peer in [*silent, plain, with_ticket]:
        peer.abort()


async def test_one_address_that_makes_a_crowd_makes_room_for_others(start_node: StartNode) -> None:
    node = await start_node(pending_max=5, handshake_deadline_s=60.0)
    crowd = [await Peer.tcp(node.port, source=GREEDY) for _ in range(10)]
    await eventually(lambda: node.report().pending == 10)
    status, _, body, other = await knock(node.port, OTHER)
    assert status == 101, body
    for peer in [*crowd, other]:
        peer.abort()


async def test_those_that_never_connect_make_room_as_well(
    start_node: StartNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending, "SILENT_AFTER_S", -60.0)
    node = await start_node(pending_max=5, connect_deadline_s=60.0)
    mute = [(await knock(node.port, GREEDY))[3] for _ in range(5)]
    status, _, body, other = await knock(node.port, OTHER)
    assert status == 101, body
    assert await mute[0].closed(answer=False) == (3000, "no connect command yet, and others come")
    await other.connect()
    assert (node.stats.evicted, node.connections) == (1, 1)
    for peer in [*mute, other]:
        peer.abort()


async def test_connections_of_one_address_leave_room_for_others(start_node: StartNode) -> None:
    node = await start_node(connections_max=12)
    answers = [await knock(node.port, GREEDY, ticketed(b"nonce-%02d" % number)) for number in range(11)]
    assert [status for status, *_ in answers] == [101] * 9 + [503] * 2
    _, fields, body, _ = answers[-1]
    assert "127.0.0.2 has 9 of 12 connections" in json.loads(body)["error"]
    assert "address_share" in json.loads(body)["error"]
    assert fields["retry-after"] == "2"
    assert node.stats.address_refused["connections"] == 2
    status, _, body, other = await knock(node.port, OTHER)
    assert status == 101, body
    answers[0][3].abort()
    await eventually(lambda: node.report().pending == 9)
    status, _, body, again = await knock(node.port, GREEDY)
    assert status == 101, "what is over is not charged"
    for peer in [*(peer for *_, peer in answers), other, again]:
        peer.abort()


async def test_a_number_for_each_address_and_no_bound(start_node: StartNode) -> None:
    few = await start_node("n1", connections_max=12, address_connections_max=2)
    all_ = await start_node("n2", connections_max=12, address_share=1.0)
    for node, room in ((few, 2), (all_, 12)):
        answers = [await knock(node.port, GREEDY) for _ in range(13)]
        assert [status for status, *_ in answers] == [101] * room + [503] * (13 - room)
        assert (b"(address_connections_max)" in answers[-1][2]) is (node is few)
        for *_, peer in answers:
            peer.abort()


async def test_handshakes_without_a_ticket_leave_room_for_others(
    start_node: StartNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "ACCEPT_PER_S_START", 20.0)
    node = await start_node(shed_handshakes=True)
    flood = []
    while not any(status == 503 for status, *_ in flood):
        flood += await asyncio.gather(*(knock(node.port, GREEDY) for _ in range(100)))
    assert {status for status, *_ in flood} == {101, 503}
    others = [await knock(node.port, f"127.0.1.{number + 1}") for number in range(5)]
    assert [status for status, *_ in others] == [101] * 5
    for *_, peer in flood + others:
        peer.abort()


async def test_trusted_proxies_tell_for_whom_they_come(start_node: StartNode) -> None:
    node = await start_node(connections_max=8, trusted_proxies=("127.0.0.2",))
    peers = []

    async def through(client: str | None) -> int:
        peer = await Peer.tcp(node.port, source=GREEDY)
        peers.append(peer)
        return (await peer.handshake(head(x_forwarded_for=client)))[0]

    assert [await through("2001:db8::1") for _ in range(6)] == [101] * 6
    assert await through("2001:db8::2") == 503, "the same /64"
    assert await through("203.0.113.7") == 101
    assert await through(None) == 101, "one that does not tell is not bounded"
    assert await through(None) == 503, "but by the room that there is"
    for peer in peers:
        peer.abort()
