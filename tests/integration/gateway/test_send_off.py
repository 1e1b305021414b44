"""A planned move of one relay to a named backend: unseen, or by a close frame at a quiet moment (P-3.12)."""

import asyncio
import random
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest
from gateway_kit import answer_101, eventually, handshake, masked
from move_kit import SLOW_S, Node, text, told
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from ringway.core.move_candidates import PINNED
from ringway.gateway.proxy.send_off import SendOff
from ringway.protocol.backend import OnMove
from ringway.protocol.frame import CLOSE, TEXT, close_payload, server_frame

ANSWER_S = 0.05
CLIENTS = 20


class Sender:
    """Sends relays off, and notes what came of it."""

    def __init__(self, rig) -> None:
        self.relays = rig.gateway.relays
        self.nodes = rig.directory.groups.nodes
        self.told: list[tuple[str, str]] = []
        self.wanted = True

    def at(self, name: str):
        return self.relays.table.relays_at(self.nodes[name].incarnation)

    def send(self, relay, target: str, **more: str) -> bool:
        return self.relays.send_off(relay, SendOff(self.nodes[target], self, lambda: self.wanted, **more))

    def on_arrived(self, relay, node) -> None:
        assert relay in self.at(node.name)
        assert not relay.is_moving
        self.told.append(("arrived", node.name))

    def on_sent(self, relay) -> None:
        assert not relay.is_usable
        self.told.append(("sent", ""))

    def on_failed(self, relay, cause: str) -> None:
        assert not relay.is_moving
        self.told.append(("failed", cause))


class Backends:
    """A gateway over backends b0, b1, ...; newcomers go to the first."""

    def __init__(self, rig, nodes) -> None:
        self.rig = rig
        self.nodes = nodes
        self.sender = Sender(rig)

    async def dial(self, path: str = "/", **headers: str):
        client = await self.rig.dial()
        await client.send(handshake(path, **headers))
        assert (await client.head())[0] == 101
        return client

    async def elsewhere(self):
        """Return the first WebSocket at a backend other than the first."""
        others = self.nodes[1:]
        await eventually(lambda: any(node.visits for node in others), SLOW_S)
        return next(node.visits[0] for node in others if node.visits)

    @property
    def relay(self):
        (relay,) = self.rig.gateway.relays
        return relay


@pytest.fixture
async def backends(start_rig):
    @asynccontextmanager
    async def start(options: str, count: int = 3, **settings):
        nodes = [Node(f"b{index}") for index in range(count)]
        weights = [1000, *[1] * (count - 2), 100]
        async with AsyncExitStack() as stack:
            specs = []
            for node, weight in zip(nodes, weights, strict=True):
                node.url = await stack.enter_async_context(node.listen())
                specs.append(f"{node.url},name={node.name},weight={weight},{options}")
            settings = {"policy": "least-connected", "reopen_window_s": 0.02, "leave_quiet_s": 0.05, **settings}
            made = Backends(await start_rig(*specs, **settings), nodes)
            yield made
            await made.rig.hang_up()

    return start


async def test_a_relay_is_opened_at_the_target_and_at_no_other(backends):
    async with backends("on-move=reopen") as made:
        client = await made.dial("/room?x=1", Ringway_Moved="lost; from=forged")
        first = await made.nodes[0].visit()
        assert "ringway-moved" not in first.head.lower()
        relay = made.relay
        assert (relay.moved_at, relay.setup_cost, relay.may_leave) == (None, 0, True)
        assert made.sender.send(relay, "b1")
        assert relay.is_moving
        assert not relay.may_leave
        assert not made.sender.send(relay, "b2")
        found = await made.nodes[1].visit()
        assert "Ringway-Moved: moved; from=b0\r\n" in found.head
        assert found.head.count("oved") == 2
        assert first.close == (1001, "")
        await client.send(text(b"on"))
        await eventually(lambda: found.got == [b"on"])
        assert made.sender.told == [("arrived", "b1")]
        assert relay.moved_at is not None
        assert relay.moved_at != PINNED
        assert relay.may_leave
        assert made.nodes[2].asked == []
        assert made.sender.at("b1") == [relay]


@pytest.mark.parametrize("how", [403, 404, 503, 500, None])
async def test_a_target_that_does_not_open_it_is_passed_over(backends, how):
    async with backends("on-move=reopen") as made:
        _, target, other = made.nodes
        client = await made.dial()
        await made.nodes[0].visit()
        if how is None:
            target.answer = lambda head: None
        else:
            target.refuse(how)
        assert made.sender.send(made.relay, "b1")
        found = await other.visit()
        await client.send(text(b"on"))
        await eventually(lambda: found.got == [b"on"])
        assert made.sender.told == [("arrived", "b2")]
        assert len(target.asked) == 1


async def test_a_relay_that_no_other_backend_takes_goes_back(backends):
    async with backends("on-move=reopen") as made:
        one, two, three = made.nodes
        client = await made.dial()
        await one.visit()
        two.refuse(404)
        three.refuse(401)
        assert made.sender.send(made.relay, "b1")
        found = await one.visit(1)
        await client.send(text(b"on"))
        await eventually(lambda: found.got == [b"on"])
        assert made.sender.told == [("arrived", "b0")]
        assert not made.rig.stats.moves_failed


async def test_a_lost_backend_is_named_as_such(backends):
    async with backends("on-move=reopen") as made:
        await made.dial()
        (await made.nodes[0].visit()).raw.reset()
        assert "Ringway-Moved: lost; from=b0\r\n" in (await made.elsewhere()).head
        assert made.relay.moved_at is None


@pytest.mark.parametrize("code", [1012, 4001])
async def test_a_client_is_told_to_reconnect_at_a_quiet_moment(backends, code):
    async with backends(f"on-move=close,close-code={code}") as made:
        client = await made.dial(Sec_WebSocket_Extensions="permessage-deflate")
        visit = await made.nodes[0].visit()
        relay = made.relay
        assert relay.setup_cost == 1
        await client.send(text(b"question"))
        assert made.sender.send(relay, "b1", reason="moved: reconnect")
        await eventually(lambda: visit.got == [b"question"])
        assert relay.is_moving
        await visit.send(b"answer")
        assert await client.frame() == (0x81, b"answer")
        assert await told(client) == (code, "moved: reconnect")
        await eventually(lambda: visit.close == (1001, ""))
        assert made.sender.told == [("sent", "")]
        await client.close()
        await made.rig.idle()
        assert made.rig.stats.cut == {"moved": 1}
        assert made.rig.stats.moves_failed == {}
        assert made.nodes[1].asked == []
        assert made.rig.stats.relays_moving == 0


async def test_when_no_moment_is_quiet_the_backend_says_its_last_first(backends):
    async with backends("on-move=close", leave_deadline_s=0.0, linger_s=5.0) as made:
        one = made.nodes[0]
        client = await made.dial()
        visit = await one.visit()
        await client.send(masked(0x01, b"half"))
        await eventually(lambda: visit.within_message)
        assert made.sender.send(made.relay, "b1")
        one.before_end = server_frame(TEXT, b"last") + server_frame(CLOSE, close_payload(1001))
        await client.send(masked(0x80, b"way") + text(b"next"))
        assert await client.frame() == (0x81, b"last")
        assert await told(client) == (1012, "moved: reconnect")
        assert (visit.got, visit.close) == ([b"halfway"], (1001, ""))
        assert made.sender.told == [("sent", "")]


async def test_a_backend_that_answers_no_goodbye_keeps_no_client(backends):
    async with backends("on-move=close", leave_deadline_s=0.0, linger_s=0.2) as made:
        made.nodes[0].hangs_up = False
        client = await made.dial()
        await made.nodes[0].visit()
        assert made.sender.send(made.relay, "b1")
        assert await told(client) == (1012, "moved: reconnect")


async def test_a_client_that_closes_behind_its_last_message_is_answered(backends):
    async with backends("on-move=close", leave_deadline_s=0.0, linger_s=0.3) as made:
        client = await made.dial()
        visit = await made.nodes[0].visit()
        await client.send(masked(0x01, b"half"))
        await eventually(lambda: visit.within_message)
        assert made.sender.send(made.relay, "b1")
        await client.send(masked(0x80, b"way") + masked(0x88, close_payload(4005, "bye")))
        assert await told(client) == (4005, "bye")
        assert (visit.got, visit.close) == ([b"halfway"], (1001, ""))


@pytest.mark.parametrize("options", ["on-move=close", "on-move=reopen"])
async def test_a_send_off_that_is_cancelled_leaves_the_relay_where_it_is(backends, options):
    async with backends(options) as made:
        client = await made.dial()
        visit = await made.nodes[0].visit()
        relay = made.relay
        assert made.sender.send(relay, "b1")
        made.sender.wanted = False
        await eventually(lambda: made.sender.told == [("failed", "stayed")])
        assert relay.may_leave
        await client.send(text(b"still here"))
        await eventually(lambda: visit.got == [b"still here"])


@pytest.mark.parametrize("how", ["client closes", "backend closes", "client ends", "gateway stops"])
async def test_a_relay_that_ends_before_it_left_is_reported(backends, how):
    async with backends("on-move=close", leave_quiet_s=20.0) as made:
        client = await made.dial()
        visit = await made.nodes[0].visit()
        assert made.sender.send(made.relay, "b1")
        if how == "client closes":
            await client.send(masked(0x88, close_payload(1000)))
        elif how == "backend closes":
            await visit.raw.send(server_frame(CLOSE, close_payload(4000, "enough")))
            assert await told(client) == (4000, "enough")
        elif how == "client ends":
            client.reset()
        else:
            await made.rig.gateway.stop()
        await eventually(lambda: made.sender.told == [("failed", "over")])


async def test_who_is_never_moved_stays_and_learns_of_a_loss(backends):
    async with backends("on-move=never") as made:
        client = await made.dial(Sec_WebSocket_Extensions="x")
        visit = await made.nodes[0].visit()
        assert "sec-websocket-extensions: x" in visit.head
        assert made.relay.moved_at == PINNED
        assert not made.sender.send(made.relay, "b1")
        visit.raw.reset()
        assert await told(client) == (1012, "node lost")
        assert made.sender.told == []


async def test_a_relay_is_not_sent_to_where_it_is(backends):
    async with backends("on-move=reopen") as made:
        await made.dial()
        await made.nodes[0].visit()
        assert not made.sender.send(made.relay, "b0")


@pytest.mark.parametrize("code", [1001, 1011, 1012])
async def test_a_backend_that_restarts_is_left(backends, code):
    async with backends("on-move=reopen,restart-codes=1001+1011") as made:
        await made.dial()
        visit = await made.nodes[0].visit()
        await visit.raw.send(server_frame(CLOSE, close_payload(code, "restarting")))
        assert "Ringway-Moved: lost; from=b0\r\n" in (await made.elsewhere()).head
        assert visit.close == (code, "")


@pytest.mark.parametrize(("said", "heard"), [(1001, 4001), (1012, 4001), (1011, 1011)])
async def test_a_client_of_a_backend_that_restarts_is_told_the_code_of_its_operator(backends, said, heard):
    async with backends("on-move=close,close-code=4001,restart-codes=1001") as made:
        client = await made.dial()
        visit = await made.nodes[0].visit()
        await visit.raw.send(server_frame(CLOSE, close_payload(said, "bye")))
        assert await told(client) == (heard, "bye")
        await client.send(masked(0x88, close_payload(heard)))
        await client.close()
        await made.rig.idle()
        assert made.rig.stats.cut == {}


@pytest.mark.parametrize(
    ("path", "headers"),
    [("/socket.io/?EIO=4&transport=websocket", {}), ("/", {"Sec_WebSocket_Protocol": "graphql-transport-ws"})],
)
async def test_by_default_a_client_with_a_state_is_closed(backends, path, headers):
    async with backends("restart-codes=1001") as made:
        made.nodes[0].answer = lambda head: answer_101(head, *more)
        more = [f"Sec-WebSocket-Protocol: {name}" for name in headers.values()]
        client = await made.dial(path, Sec_WebSocket_Extensions="permessage-deflate", **headers)
        visit = await made.nodes[0].visit()
        assert "sec-websocket-extensions: permessage-deflate" in visit.head
        assert (made.relay.on_move, made.relay.upgrade) == (OnMove.CLOSE, None)
        visit.raw.reset()
        assert await told(client) == (1012, "node lost")


async def test_by_default_a_plain_client_goes_on_unseen(backends):
    async with backends("restart-codes=1001") as made:
        client = await made.dial("/ws/7?token=x")
        visit = await made.nodes[0].visit()
        await client.send(text(b'{"question": 1}') + text(b'{"type": "login"}'))  # the first counts
        await eventually(lambda: len(visit.got) == 2)
        assert made.relay.on_move is OnMove.REOPEN
        visit.raw.reset()
        found = await made.elsewhere()
        await client.send(text(b"on"))
        await eventually(lambda: found.got == [b"on"])


@pytest.mark.parametrize("how", ["with the handshake", "after a ping", "in two pieces", "after a move"])
async def test_by_default_a_client_whose_first_message_begins_a_session_is_closed(backends, how):
    async with backends("restart-codes=1001") as made:
        one, two, _ = made.nodes
        login = masked(0x81, b'{"method": "subscription", "id": 1}')
        client = await made.rig.dial()
        await client.send(handshake("/") + (login if how == "with the handshake" else b""))
        assert (await client.head())[0] == 101
        visit = await one.visit()
        if how == "after a ping":
            await client.send(masked(0x89, b"?"))
            await eventually(lambda: visit.pings == [b"?"])
        elif how == "after a move":
            assert made.sender.send(made.relay, "b1")
            visit = await two.visit()
        if how == "in two pieces":
            await client.send(login[:36])
            await eventually(lambda: made.relay.on_move is OnMove.CLOSE)
            await client.send(login[36:])
        elif how != "with the handshake":
            await client.send(login)
        await eventually(lambda: len(visit.got) == 1)
        assert (made.relay.on_move, made.relay.setup_cost) == (OnMove.CLOSE, 1)
        visit.raw.reset()
        assert await told(client) == (1012, "node lost")


async def test_a_client_that_begins_a_session_before_it_is_moved_unseen_stays_and_is_closed_the_next_time(backends):
    async with backends("restart-codes=1001", leave_quiet_s=0.2) as made:
        client = await made.dial()
        visit = await made.nodes[0].visit()
        assert made.sender.send(made.relay, "b1")
        await client.send(text(b'{"type": "login"}'))
        await eventually(lambda: len(visit.got) == 1)
        await visit.send(b"welcome")
        await eventually(lambda: made.sender.told == [("failed", "stayed")])
        assert made.sender.send(made.relay, "b1")
        assert await client.frame() == (0x81, b"welcome")
        assert await told(client) == (1012, "moved: reconnect")


async def test_a_first_message_changes_nothing_where_the_operator_has_decided(backends):
    async with backends("on-move=reopen") as made:
        client = await made.dial()
        visit = await made.nodes[0].visit()
        await client.send(text(b'{"type": "login"}'))
        await eventually(lambda: len(visit.got) == 1)
        assert made.relay.on_move is OnMove.REOPEN


class SlowServer:
    """Answers each message after `ANSWER_S`, in order, and counts the messages."""

    def __init__(self) -> None:
        self.heard = 0

    async def handle(self, connection):
        with suppress(ConnectionClosed):
            async for message in connection:
                self.heard += 1
                await asyncio.sleep(ANSWER_S)
                await connection.send(message)


async def ask_until_told(url, rng, pause_s):
    """Ask and wait for each answer until the server closes; return the code, and the number of answers."""
    answers = 0
    async with connect(url, compression=None, ping_interval=None) as connection:
        while True:
            try:
                await connection.send("question")
                await asyncio.wait_for(connection.recv(), SLOW_S)
                answers += 1
                await asyncio.sleep(rng.uniform(0, pause_s))
            except ConnectionClosed:
                return connection.close_code, answers


@pytest.mark.parametrize("pause_s", [0.0, 0.6], ids=["question upon question", "with pauses"])
async def test_no_answer_is_lost_when_clients_are_told_to_reconnect(start_rig, pause_s):
    """A question that crosses the close does not reach the backend: its client may ask it again."""
    backend = SlowServer()
    async with serve(backend.handle, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        port = server.sockets[0].getsockname()[1]
        rig = await start_rig(
            f"ws://127.0.0.1:{port},name=one,weight=1000,on-move=close",
            f"ws://127.0.0.1:{port}/,name=two,weight=1,on-move=close",
            leave_quiet_s=0.2,
            leave_deadline_s=3.0,
            connect_deadline_s=10.0,
        )
        sender = Sender(rig)
        rng = random.Random(3)
        asking = [asyncio.create_task(ask_until_told(rig.url(), rng, pause_s)) for _ in range(CLIENTS)]
        await eventually(lambda: rig.stats.relays_open == CLIENTS)
        for relay in rig.gateway.relays:
            target = "two" if relay in sender.at("one") else "one"
            assert sender.send(relay, target)
        outcomes = await asyncio.wait_for(asyncio.gather(*asking), SLOW_S)
        assert [code for code, _ in outcomes] == [1012] * CLIENTS
        assert sum(answers for _, answers in outcomes) == backend.heard > CLIENTS
        assert sender.told == [("sent", "")] * CLIENTS
