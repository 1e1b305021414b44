"""Moves of the Python client's sockets, over scripted nodes (PROTOCOL.md P-7.7, P-7.8)."""

import asyncio
from typing import Any

import pytest

import ringway
from integration.moves.channels import Channels
from integration.moves.cluster import Cluster, until
from integration.moves.kit import numbers
from ringway.client import Socket
from ringway.client.config import HELD_BYTES_MAX

pytestmark = pytest.mark.timeout(90)

MOVES = 200


async def test_nothing_is_lost_doubled_or_reordered_while_a_socket_is_moved() -> None:
    async with Cluster("n1", "n2", "n3") as cluster, ringway.connect(cluster.gateway.url, moves_burst=MOVES) as ws:
        over = False

        async def send() -> int:
            count = 0
            while not over:
                for _ in range((1, 1, 3, 20)[count % 4]):
                    text = f"{count} ".ljust(3000 if count % 10 == 0 else 12, "x")
                    await ws.send(text if count % 3 else text.encode())
                    count += 1
                await asyncio.sleep(0.0)
            return count

        sending = asyncio.create_task(send())
        receiving = asyncio.create_task(_receive(ws))
        await until(lambda: cluster.sessions and cluster.session.received, "the first message")
        session, sent = cluster.session, 0
        for move in range(MOVES):
            cluster.commit_after_s = (0.0, 0.0, 0.01)[move % 3]
            cluster.move(session)
            for pause_s in (0.0, 0.002):
                session.send(str(sent))
                sent += 1
                await asyncio.sleep(pause_s)
            await until(lambda: session.peer or session.over, "the session's return")
        over = True
        count = await sending
        session.send("stop")
        assert await receiving == [str(number) for number in range(sent)]
        await ws.close(3210, "done")
        await until(lambda: session.over, "the close")
    assert session.over == (3210, "done")
    assert numbers(session) == list(range(count))
    assert ws.moves == session.moves == MOVES
    assert len(cluster.sessions) == 1
    assert count > 10 * MOVES


async def _receive(ws: ringway.Socket) -> list[Any]:
    messages: list[Any] = []
    while (message := await ws.recv()) != "stop":
        messages.append(message)
    return messages


async def test_a_client_goes_with_its_session_and_the_program_never_sees_it() -> None:
    events: list[ringway.Event] = []
    async with Cluster("n1", "n2") as cluster:
        channels = Channels(cluster)
        async with ringway.Client(cluster.gateway.url, on_event=events.append) as client:
            async with client.subscribe("room") as room:
                channels.silent = True
                unanswered = asyncio.create_task(client.publish("room", "before"))
                await until(lambda: channels.of("publish"), "the publish")
                cluster.move(cluster.session)
                held = asyncio.create_task(client.publish("room", "during"))
                await until(lambda: cluster.session.moves == 1, "the move")
                await until(lambda: len(channels.of("publish")) == 2, "the publish that was held")
                channels.answer_all()
                await asyncio.gather(unanswered, held)
                assert [(await room.receive()).data for _ in range(2)] == ["before", "during"]
                assert room.confirmed
            assert (client.node, client.id, client.moves) == ("n2", "c0", 1)
    assert [type(event) for event in events] == [ringway.Connected, ringway.Moved, ringway.Disconnected]
    assert events[1] == ringway.Moved("n1", "n2")  # type: ignore[arg-type]
    assert len(channels.of("connect")) == len(channels.of("subscribe")) == 1
    first, second = cluster.nodes["n1"].paths[0], cluster.nodes["n2"].paths[0]
    assert first.endswith("&moves=1")
    assert second.endswith("&resume=1&moves=1")
    assert len(cluster.gateway.asked) == 2


@pytest.mark.parametrize("fault", ["refuse_resume", "close_resumed", "elsewhere", "no gateway"])
async def test_where_the_session_is_not_resumed_the_close_is_a_plain_one(fault: str) -> None:
    async with Cluster("n1", "n2") as cluster, ringway.connect(cluster.gateway.url) as ws:
        if fault == "elsewhere":
            cluster.gateway.answers = [(200, cluster.gateway.place({}))]
        elif fault == "no gateway":
            await cluster.gateway.stop()
        else:
            setattr(cluster.nodes["n2"], fault, True)
        cluster.move(cluster.session)
        with pytest.raises(ringway.ConnectionClosed) as caught:
            await ws.recv()
        assert (caught.value.code, caught.value.reason) == (1012, "")
        await ws.wait_closed()
        with pytest.raises(ringway.ConnectionClosed):
            await ws.send("late")


async def test_a_client_whose_session_is_not_resumed_comes_back_as_ever() -> None:
    events: list[ringway.Event] = []
    async with Cluster("n1", "n2") as cluster:
        channels = Channels(cluster)
        cluster.nodes["n2"].refuse_resume = True
        async with ringway.Client(cluster.gateway.url, on_event=events.append) as client:
            async with client.subscribe("room"):
                cluster.move(cluster.session)
                await until(lambda: len(channels.of("subscribe")) == 2, "the new subscription")
            assert (client.node, client.moves) == ("n1", 0)
    assert isinstance(events[1], ringway.Disconnected)
    assert (events[1].code, events[1].reason, events[1].move_to) == (1012, "", None)


async def test_another_subprotocol_is_not_what_the_user_speaks() -> None:
    async with Cluster("n1", "n2") as cluster, ringway.connect(cluster.gateway.url, subprotocols=["a", "b"]) as ws:
        assert ws.subprotocol == "a"
        cluster.move(cluster.session)
        await until(lambda: ws.moves == 1, "the move")
        cluster.nodes["n1"].protocol = "b"
        cluster.move(cluster.session)
        with pytest.raises(ringway.ConnectionClosed) as caught:
            await ws.recv()
        assert caught.value.code == 1012
        assert ws.subprotocol == "a"


async def test_another_gateway_is_asked_where_the_first_is_gone() -> None:
    async with Cluster("n1", "n2", gateways=2) as cluster:
        ws = await ringway.connect([gateway.url for gateway in cluster.gateways])
        await next(gateway for gateway in cluster.gateways if gateway.asked).stop()
        cluster.move(cluster.session)
        cluster.session.send("here")
        assert await ws.recv() == "here"
        assert ws.moves == 1
        await ws.close()


async def test_a_move_that_would_hold_too_much_is_given_up() -> None:
    async with Cluster("n1", "n2") as cluster:
        channels = Channels(cluster)
        cluster.nodes["n2"].hold_handshake = True
        async with ringway.Client(cluster.gateway.url) as client:
            cluster.move(cluster.session)
            await until(lambda: cluster.nodes["n2"].paths, "the second handshake")
            big = "x" * (HELD_BYTES_MAX // 2)
            publishes = [asyncio.create_task(client.publish("room", big)) for _ in range(3)]
            done = await asyncio.gather(*publishes, return_exceptions=True)
            assert all(isinstance(each, ringway.ConnectionClosed) and each.code == 1012 for each in done)
            await until(lambda: len(channels.of("connect")) == 2 and client.node, "the new connection")
            assert client.moves == 0


async def test_a_writer_waits_while_much_is_held() -> None:
    async with Cluster("n1", "n2") as cluster, ringway.connect(cluster.gateway.url) as ws:
        await ws.send("first")
        cluster.nodes["n2"].hold_handshake = True
        cluster.move(cluster.session)
        await until(lambda: cluster.nodes["n2"].paths, "the second handshake")
        writing = [asyncio.create_task(ws.send("x" * 50_000)) for _ in range(3)]
        await asyncio.wait(writing, timeout=0.2)
        assert [task.done() for task in writing] == [True, False, False]
        cluster.nodes["n2"].hold_handshake = False
        await asyncio.gather(*writing)
        await until(lambda: len(cluster.session.received) == 4, "what was held")


async def test_a_socket_that_is_closed_during_a_move_says_what_it_was_given_to_say() -> None:
    async with Cluster("n1", "n2") as cluster:
        ws = await ringway.connect(cluster.gateway.url)
        session = cluster.session
        cluster.nodes["n2"].hold_handshake = True
        cluster.move(session)
        await until(lambda: cluster.nodes["n2"].paths, "the second handshake")
        await ws.send("last words")
        closing = asyncio.create_task(ws.close(3333, "bye"))
        await asyncio.sleep(0)
        with pytest.raises(ringway.ConnectionClosed):
            await ws.send("too late")
        cluster.nodes["n2"].hold_handshake = False
        await closing
        await until(lambda: session.over, "the close")
        assert (session.received, session.over) == (["last words"], (3333, "bye"))
        assert ws.close_code == 3333


async def test_a_close_during_a_move_takes_no_longer_than_any_other() -> None:
    async with Cluster("n1", "n2") as cluster:
        ws = await ringway.connect(cluster.gateway.url, close_timeout=0.1)
        cluster.nodes["n2"].hold_handshake = True
        cluster.move(cluster.session)
        await until(lambda: cluster.nodes["n2"].paths, "the second handshake")
        await ws.close()
        assert ws.close_code == 1006


async def test_a_close_during_a_move_waits_for_it_where_messages_are_held() -> None:
    async with Cluster("n1", "n2") as cluster:
        ws = await ringway.connect(cluster.gateway.url, close_timeout=0.1)
        session = cluster.session
        cluster.nodes["n2"].hold_handshake = True
        cluster.move(session)
        await until(lambda: cluster.nodes["n2"].paths, "the second handshake")
        await ws.send("last words")
        closing = asyncio.create_task(ws.close(3210, "done"))
        await asyncio.sleep(0.3)  # more than the close timeout
        cluster.nodes["n2"].hold_handshake = False
        await closing
        assert session.received == ["last words"]
        assert session.over == (3210, "done")
        assert ws.close_code == 3210


async def test_pings_that_the_donor_did_not_answer_are_answered_by_the_target() -> None:
    async with Cluster("n1", "n2") as cluster, ringway.connect(cluster.gateway.url, ping_interval=None) as ws:
        cluster.nodes["n1"].answers_pings = False
        before = await ws.ping()
        cluster.nodes["n2"].hold_handshake = True
        cluster.move(cluster.session)
        await until(lambda: cluster.nodes["n2"].paths, "the second handshake")
        during = await ws.ping()
        cluster.nodes["n2"].hold_handshake = False
        assert await before > 0
        assert await during > 0


async def test_a_reader_that_has_stopped_is_not_read_to_after_a_move(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[bytes] = []
    received = Socket.received

    def note(socket: Socket, opcode: int, payload: bytes) -> None:
        taken.append(payload)
        received(socket, opcode, payload)

    monkeypatch.setattr(Socket, "received", note)
    async with Cluster("n1", "n2") as cluster, ringway.connect(cluster.gateway.url, max_queue=4) as ws:
        session = cluster.session
        for number in range(4):
            session.send(str(number))
        cluster.move(session)  # in the same packet: the queue is full when the signal is read
        await until(lambda: ws.moves == 1, "the move")
        for number in range(4, 200):
            session.send(f"{number} ".ljust(10_000, "x"))
        await asyncio.sleep(0.1)
        assert len(taken) < 100
        assert [int((await ws.recv()).split()[0]) for _ in range(200)] == list(range(200))


async def test_a_slot_is_waited_for_and_a_lost_connection_spread_over_the_window() -> None:
    async with Cluster("n1") as cluster:
        cluster.extra = {"wait_ms": 300, "reconnect_window_ms": 400}
        loop = asyncio.get_running_loop()
        began = loop.time()
        opened: list[float] = []
        async for _ in ringway.connect(cluster.gateway.url, open_timeout=0.25):  # shorter than the slot
            opened.append(loop.time() - began)
            if len(opened) == 2:
                break
            began = loop.time()
        assert all(0.3 <= each < 20 for each in opened)


async def test_servers_that_are_no_nodes_are_not_told_of_moves() -> None:
    async with Cluster("n1") as cluster:
        node = cluster.nodes["n1"]
        cluster.gateway.answers = [(200, {"url": node.url, "ticket": "", "node": "b1", "alternates": []})]
        async with ringway.connect(cluster.gateway.url):
            assert node.paths == ["/connection/websocket"]
