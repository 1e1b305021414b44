"""Many clients at one address do not shut out those at others (PROTOCOL.md P-2.12, P-3.7)."""

import asyncio
import json
import socket
from contextlib import closing

import pytest
from cluster_kit import Cluster, channel_node, cluster, node
from gateway_kit import Rig, answer_101, eventually, handshake, raw_backend, read_head

from ringway.core import pending

GREEDY, OTHER = "127.0.0.2", "127.0.0.3"
ASK = b"GET /gateway HTTP/1.1\r\nHost: x\r\n\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


async def asked(made: Cluster | Rig, source: str, *headers: str) -> tuple[int, dict[str, str], dict]:
    """Ask `GET /gateway` from the address `source`."""
    raw = await made.dial(source)
    await raw.send("\r\n".join(["GET /gateway HTTP/1.1", "Host: x", *headers, "\r\n"]).encode())
    status, headers_, body = await raw.response()
    assert isinstance(body, dict)
    return status, headers_, body


async def test_silent_sockets_of_one_address_go_before_slow_ones_of_others(start_rig):
    rig = await start_rig(heads_pending_max=20, head_deadline_s=60.0)
    slow = await rig.dial(OTHER)
    await slow.send(HEALTH[:10])
    silent = [await rig.dial(GREEDY) for _ in range(60)]
    await eventually(lambda: rig.stats.evicted >= 30 and rig.stats.heads_pending <= 20)
    await asyncio.sleep(1.5)  # until those that are left are called silent
    more = [await rig.dial(GREEDY) for _ in range(60)]
    await eventually(lambda: rig.stats.connections == 121)
    assert await silent[0].rest() == b""
    newcomer = await rig.dial(OTHER)
    await newcomer.send(HEALTH)
    assert (await newcomer.response())[0] == 200
    assert len(more) == 60


async def test_in_a_crowd_of_one_address_everybody_has_an_answer(start_rig, monkeypatch):
    monkeypatch.setattr(pending, "SILENT_AFTER_S", 60.0)  # all have only just come
    rig = await start_rig(heads_pending_max=20)
    crowd = [await rig.dial(GREEDY) for _ in range(50)]
    for raw in crowd:
        await raw.send(HEALTH)
    answers = [await raw.response() for raw in crowd]
    assert {status for status, _, _ in answers} == {200, 503}
    assert all("retry-after" in headers for status, headers, _ in answers if status == 503)
    other = await rig.dial(OTHER)
    await other.send(HEALTH)
    assert (await other.response())[0] == 200


@pytest.mark.parametrize("request_", [b"", HEALTH], ids=["the first", "a later one"])
async def test_empty_lines_extend_no_deadline(start_rig, request_):
    rig = await start_rig(head_deadline_s=0.5, keepalive_idle_s=0.5)
    client = await rig.dial()
    if request_:
        await client.send(request_)
        assert (await client.response())[0] == 200

    async def drip():
        while True:
            await client.send(b"\r\n")
            await asyncio.sleep(0.02)

    dripping = asyncio.create_task(drip())
    assert await client.rest() == b""
    dripping.cancel()
    await asyncio.gather(dripping, return_exceptions=True)
    await eventually(lambda: rig.stats.heads_pending == 0)


async def test_empty_lines_are_bounded(start_rig):
    rig = await start_rig(head_deadline_s=60.0)
    client = await rig.dial()
    await client.send(b"\r\n" * 20_000)
    status, _, _ = await client.response()
    assert status == 431


async def test_whoever_asks_too_often_is_told_when_to_ask_again_and_others_are_answered():
    async with cluster(address_asks_per_s=1.0, address_asks_burst=3, allowed_origins=("https://app.example",)) as made:
        await made.join("n1", "ws://10.0.0.1:1/connection/websocket")
        answers = [await asked(made, GREEDY, "Origin: https://app.example") for _ in range(5)]
        assert [status for status, _, _ in answers[:3]] == [200, 200, 200]
        status, headers, body = answers[-1]
        assert (status, headers["retry-after"], headers["access-control-allow-origin"]) == (
            429,
            "1",
            "https://app.example",
        )
        assert 0 < body["wait_ms"] <= 2000
        assert body["error"].startswith("127.0.0.2 asks more than 1 times a second (address_asks_per_s)")
        assert (await asked(made, OTHER))[0] == 200
        assert made.gateway.stats.address_refused["asks"] == 2


async def test_asking_takes_no_slots_from_others_and_what_is_not_used_comes_back():
    async with cluster(slot_hold_s=2.0) as made, node() as (url, targets):
        await made.join("n1", url, accept_per_s=20.0)
        greedy = await made.dial(GREEDY)
        await greedy.send(ASK * 200)
        waits = [(await greedy.response())[2].get("wait_ms", 0) for _ in range(200)]
        assert max(waits) > 5000, "the queue is long for the one that asks"
        for number in range(5):
            _, _, body = await asked(made, f"127.0.1.{number + 1}")
            assert body.get("wait_ms", 0) < 1000, "and short for all others"
        proxied = await made.dial(OTHER)
        await proxied.send(handshake("/chat"))
        assert (await proxied.head())[0] == 101
        assert len(targets) == 1


async def test_places_that_one_address_does_not_take_are_bounded_by_what_nodes_have():
    async with cluster(slot_wait_s=0.0) as made:
        await made.join("n1", "ws://10.0.0.1:1/connection/websocket", connections_max=100)
        statuses = [(await asked(made, GREEDY))[0] for _ in range(100)]
        assert statuses.count(200) < 100
        status, headers, body = await asked(made, GREEDY)
        assert status == 503
        assert "address_share" in body["error"]
        assert int(headers["retry-after"]) >= 1
        assert (await asked(made, OTHER))[0] == 200
        assert made.gateway.stats.address_refused["places"] >= 1


async def test_relays_of_one_address_leave_room_for_others(start_rig):
    async def serve(reader, writer):
        writer.write(answer_101(await read_head(reader)))
        await reader.read()

    async with raw_backend(serve) as url:
        rig = await start_rig(url, relays_max=12)
        answers = []
        held = []
        for _ in range(14):
            raw = await rig.dial(GREEDY)
            await raw.send(handshake())
            status, headers = await raw.head()
            answers.append(status)
            if status == 101:
                held.append(raw)
            else:
                body = json.loads(await raw.reader.readexactly(int(headers["content-length"])))
                assert "127.0.0.2 has 9 of 12 WebSockets" in body["error"]
                assert "retry-after" in headers
        assert answers.count(101) == 9
        other = await rig.dial(OTHER)
        await other.send(handshake())
        assert (await other.head())[0] == 101
        held.pop().reset()
        await eventually(lambda: rig.stats.relays_open == 9)
        again = await rig.dial(GREEDY)
        await again.send(handshake())
        assert (await again.head())[0] == 101, "what is over is not charged"


async def test_a_refusal_names_the_number_that_was_set(start_rig):
    async def serve(reader, writer):
        writer.write(answer_101(await read_head(reader)))
        await reader.read()

    async with raw_backend(serve) as url:
        rig = await start_rig(url, address_relays_max=1)
        first, second = await rig.dial(GREEDY), await rig.dial(GREEDY)
        await first.send(handshake())
        assert (await first.head())[0] == 101
        await second.send(handshake())
        status, _, body = await second.response()
        assert status == 503
        assert body["error"].endswith("come again later (address_relays_max)")
    async with cluster(slot_wait_s=0.0, address_places_max=1) as made:
        await made.join("n1", "ws://10.0.0.1:1/connection/websocket", connections_max=100)
        assert (await asked(made, GREEDY))[0] == 200
        status, _, body = await asked(made, GREEDY)
        assert status == 503
        assert "come again later (address_places_max)" in body["error"]


async def test_trusted_proxies_tell_for_whom_they_ask_and_are_not_bounded_themselves():
    async with cluster(address_asks_per_s=1.0, address_asks_burst=2, trusted_proxies=("127.0.0.0/24",)) as made:
        await made.join("n1", "ws://10.0.0.1:1/connection/websocket")
        told = [await asked(made, GREEDY, "X-Forwarded-For: 203.0.113.7") for _ in range(4)]
        assert [status for status, _, _ in told] == [200, 200, 429, 429]
        assert (await asked(made, GREEDY, "X-Forwarded-For: 203.0.113.8"))[0] == 200
        assert {(await asked(made, GREEDY))[0] for _ in range(6)} == {200}, "one that does not tell"


async def test_who_sends_thousands_of_requests_in_one_piece_does_not_hold_others_up(start_rig):
    rig = await start_rig()
    loop = asyncio.get_running_loop()
    with (
        closing(socket.create_connection(("127.0.0.1", rig.gateway.port))) as many,
        closing(socket.create_connection(("127.0.0.1", rig.gateway.port))) as one,
    ):
        await eventually(lambda: rig.stats.connections == 2)
        many.setblocking(False)
        many.send(HEALTH * 1000)  # both are with the kernel before the loop reads either
        one.setblocking(False)
        one.send(HEALTH)
        assert (await loop.sock_recv(one, 1000)).startswith(b"HTTP/1.1 200")
        assert rig.stats.requests["healthz"] < 500
        got = 0
        while got < 1000:
            got += (await loop.sock_recv(many, 1 << 20)).count(b"HTTP/1.1 200 OK")
        await eventually(lambda: rig.stats.requests["healthz"] == 1001)


async def test_nodes_count_those_behind_a_gateway_by_their_own_addresses():
    async with cluster() as made, channel_node(made, "n1") as held:
        peers = []
        for source, count in ((GREEDY, 3), (OTHER, 1)):
            for _ in range(count):
                peers.append(await made.dial(source))
                await peers[-1].send(handshake("/connection/websocket"))
                assert (await peers[-1].head())[0] == 101
        shares = held.clients.registry.shares
        assert (shares.count(GREEDY), shares.count(OTHER), len(shares)) == (3, 1, 2)
