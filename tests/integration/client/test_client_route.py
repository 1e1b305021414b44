"""Routes of a client to its node: discovery, several gateways, moves; direct and through the gateway."""

import asyncio
import random

import pytest
from client_kit import QUICK, TICKET, ScriptedGateway, ScriptedNode, http, until

import ringway
from ringway.errors import UpgradeError

pytestmark = pytest.mark.timeout(60)

MOVE = f"move n2 {TICKET}"


def open_client(url: str | list[str], **options: object) -> ringway.Client:
    return ringway.Client(url, **{"config": QUICK, **options})  # type: ignore[arg-type]


async def test_the_gateway_is_asked_and_its_answer_used_as_it_is() -> None:
    async with ScriptedNode() as node, ScriptedGateway.to(node) as gateway:
        async with open_client(gateway.url) as client:
            assert client.node == "n1"
        assert gateway.asked == ["/gateway"]
        assert gateway.heads[0].startswith(f"GET /gateway HTTP/1.1\r\nHost: 127.0.0.1:{gateway.port}\r\n")
        assert node.paths == [f"/connection/websocket?ticket={TICKET}"]


async def test_the_key_goes_to_gateway_and_node() -> None:
    async with ScriptedNode() as node, ScriptedGateway.to(node) as gateway:
        async with open_client(gateway.url, key="room/7&x"):
            pass
        assert gateway.asked == ["/gateway?key=room%2F7%26x"]
        assert node.paths == [f"/connection/websocket?ticket={TICKET}&key=room%2F7%26x"]


async def test_a_moved_client_asks_for_the_node_it_was_moved_to() -> None:
    events: list[ringway.Event] = []
    async with ScriptedNode("n1") as n1, ScriptedNode("n2") as n2, ScriptedGateway.to(n1, n2) as gateway:
        async with open_client(gateway.url, key="k", on_event=events.append) as client:
            async with client.subscribe("room") as room:
                await n1.current.close(1012, MOVE)
                await until(lambda: client.node == "n2" and room.confirmed)
                await n2.push("room", "here")
                assert (await room.receive()).data == "here"
            assert client.moves == 1
        assert gateway.asked == ["/gateway?key=k", f"/gateway?key=k&node=n2&ticket={TICKET}"]
        assert n1.connections[0].close_code == 1012
        assert isinstance(events[1], ringway.Disconnected)
        assert (events[1].move_to, events[1].retry_in_s) == ("n2", 0.0)
        assert events[2] == ringway.Connected("n2", "c1", moved=True)


async def test_through_the_gateway_a_move_is_told_in_the_query() -> None:
    async with ScriptedNode("n1") as gateway:  # to the client a proxied node looks just so
        async with open_client(gateway.url + "?zone=a", key="k") as client:
            gateway.name = "n2"
            await gateway.current.close(1012, MOVE)
            await until(lambda: client.moves == 1)
            await gateway.current.close(3001)
            await until(lambda: len(gateway.paths) == 3 and client.node)
        base = "/connection/websocket?zone=a&key=k"
        assert gateway.paths == [base, f"{base}&node=n2&ticket={TICKET}", base]


async def test_http_urls_go_through_the_gateway_where_that_is_wanted() -> None:
    async with (
        ScriptedNode() as gateway,
        open_client(f"http://127.0.0.1:{gateway.port}", via="gateway") as client,
    ):
        assert client.node == "n1"
        assert gateway.paths == ["/connection/websocket"]


async def test_ws_urls_are_asked_for_a_node_where_that_is_wanted() -> None:
    async with ScriptedNode() as node, ScriptedGateway.to(node) as gateway:
        async with open_client(f"ws://127.0.0.1:{gateway.port}/", via="direct") as client:
            assert client.node == "n1"
        assert gateway.asked == ["/gateway"]


async def test_a_move_that_fails_ends_in_normal_placement() -> None:
    async with ScriptedNode("n1") as n1, ScriptedGateway.to(n1) as gateway:
        async with open_client(gateway.url) as client:
            gateway.answers = [http(503)]
            await n1.current.close(1012, MOVE)
            await until(lambda: len(n1.connections) == 2 and client.node == "n1")
            assert client.moves == 0
            n1.refuse_next = [(403, {})]  # the ticket was used, or came too late
            await n1.current.close(1012, MOVE)
            await until(lambda: len(n1.connections) == 3 and client.node == "n1")
        moved = f"/gateway?node=n2&ticket={TICKET}"
        assert gateway.asked == ["/gateway", moved, "/gateway", moved, "/gateway"]


async def test_a_move_that_ends_elsewhere_is_not_counted() -> None:
    events: list[ringway.Event] = []
    async with ScriptedNode("n1") as n1, ScriptedGateway.to(n1) as gateway:  # it does not take the move's ticket
        async with open_client(gateway.url, on_event=events.append) as client:
            await n1.current.close(1012, MOVE)
            await until(lambda: len(n1.connections) == 2 and client.node == "n1")
            assert client.moves == 0
        assert len(gateway.asked) == 2
        assert events[2] == ringway.Connected("n1", "c2", moved=False)


async def test_a_stale_ticket_is_replaced_when_opening() -> None:
    async with ScriptedNode() as node, ScriptedGateway.to(node) as gateway:
        node.refuse_next = [(403, {})]
        async with open_client(gateway.url):
            assert len(gateway.asked) == 2


async def test_an_alternate_is_taken_where_the_node_cannot_be_reached() -> None:
    async with ScriptedNode("dead") as dead:
        pass
    async with ScriptedNode("n2") as n2:
        answer = {"url": dead.url, "node": "dead", "alternates": [{"node": "n2", "url": n2.url}]}
        async with ScriptedGateway(lambda _: http(200, answer)) as gateway, open_client(gateway.url) as client:
            assert client.node == "n2"
            assert len(gateway.asked) == 1


async def test_another_gateway_is_asked_where_one_is_down() -> None:
    async with ScriptedNode() as node, ScriptedGateway.to(node) as good, ScriptedGateway.to(node) as down:
        down.usual = lambda _: http(500)
        for seed in range(8):
            async with open_client([down.url, "http://127.0.0.1:1", good.url], rng=random.Random(seed)) as client:
                assert client.node == "n1"
        assert len(good.asked) == 8
        assert 0 < len(down.asked) < 8  # the order is random


async def test_retry_after_is_obeyed() -> None:
    events: list[ringway.Event] = []
    async with ScriptedNode() as node, ScriptedGateway.to(node) as gateway:
        gateway.answers = [http(503, {"error": "no node"}, Retry_After="1")]
        async with open_client(gateway.url, on_event=events.append):
            failed = events[0]
        assert isinstance(failed, ringway.Failed)
        assert 1.0 <= failed.retry_in_s <= 1.01
        assert isinstance(failed.error, UpgradeError)
        assert failed.error.status == 503


def placement(url: object) -> dict[str, object]:
    return {"url": url, "node": "n1", "expires_in": 10}


WRONG = {
    "no placement": (http(200, {"ticket": "x"}), "no placement"),
    "no JSON": (http(200, b"<html>"), "no placement"),
    "not in HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "does not answer in HTTP"),
    "not a WebSocket": (http(200, placement("http://127.0.0.1:1/x")), "no WebSocket URL"),
    "credentials": (http(200, placement("ws://u:p@127.0.0.1:1/x")), "credentials"),
    "a number for a URL": (http(200, placement(7)), "no placement"),
    "endless": (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b" " * 100_000, "more than 65536 bytes"),
    "cut short": (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", "before its answer was whole"),
    "cut in the head": (b"HTTP/1.1 200 O", "before its answer was whole"),
    "chunks cut short": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", "before its answer"),
    "nothing": (b"", "before its answer was whole"),
}


@pytest.mark.parametrize(("answer", "said"), WRONG.values(), ids=WRONG.keys())
async def test_a_wrong_answer_is_an_error_and_another_is_asked_for(answer: bytes, said: str) -> None:
    async with ScriptedNode() as node, ScriptedGateway.to(node) as gateway:
        gateway.answers = [answer]
        events: list[ringway.Event] = []
        async with open_client(gateway.url, on_event=events.append) as client:
            assert client.node == "n1"
        assert isinstance(events[0], ringway.Failed)
        assert isinstance(events[0].error, UpgradeError | OSError)
        assert said in str(events[0].error)
        assert len(gateway.asked) == 2


async def test_answers_in_chunks_or_up_to_the_end_are_read() -> None:
    async with ScriptedNode() as node, ScriptedGateway.to(node) as gateway:
        body = f'{{"url": "{node.url}"}}'.encode()
        half = len(body) // 2
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:half], body[half:], b""))
        gateway.answers = [
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks,
            b"HTTP/1.1 200 OK\r\n\r\n" + body,
        ]
        for _ in range(2):
            async with open_client(gateway.url) as client:
                assert client.node == "n1"
        assert len(gateway.asked) == 2


async def test_a_silent_gateway_costs_its_deadline_and_no_more() -> None:
    async with ScriptedNode() as node, ScriptedGateway.to(node) as gateway:
        gateway.answers = [None]
        config = ringway.ClientConfig(attempt_timeout_s=0.2, backoff_base_s=0.01)
        events: list[ringway.Event] = []
        async with open_client(gateway.url, config=config, on_event=events.append):
            pass
        assert isinstance(events[0], ringway.Failed)
        assert isinstance(events[0].error, TimeoutError)
        assert "did not answer within 0.2 s" in str(events[0].error)


async def test_a_hundred_clients_move_at_once_and_each_comes_back_once() -> None:
    async with ScriptedNode("n1") as n1, ScriptedNode("n2") as n2, ScriptedGateway.to(n1, n2) as gateway:
        clients = [open_client(gateway.url) for _ in range(100)]
        await asyncio.gather(*(client.open() for client in clients))
        await asyncio.gather(*(one.close(1012, MOVE) for one in list(n1.connections)))
        await until(lambda: all(client.node == "n2" for client in clients))
        assert (len(n1.connections), len(n2.connections)) == (100, 100)
        await asyncio.gather(*(client.close() for client in clients))
