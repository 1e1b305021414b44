"""Backends with on-move=reopen: if a backend is lost, restarts or is out, its WebSockets go on elsewhere (P-3.12)."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from gateway_kit import answer_101, eventually, handshake, masked, unused_port
from move_kit import SLOW_S, Node, text, told

from ringway.protocol.frame import CLOSE, TEXT, close_payload, server_frame

NODE_LOST = (1012, "node lost")
RESTART = server_frame(CLOSE, close_payload(1012, "restarting"))


class Backends:
    """A gateway over backends; newcomers go to the first while it is up, and it is preferred by weight."""

    def __init__(self, rig, nodes):
        self.rig = rig
        self.nodes = nodes

    @property
    def stats(self):
        return self.rig.stats

    @property
    def loads(self):
        self.rig.held.report()
        return [self.rig.directory.groups.nodes[node.name].load for node in self.nodes]

    async def dial(self, path: str = "/", **headers: str):
        client = await self.rig.dial()
        await client.send(handshake(path, **headers))
        assert (await client.head())[0] == 101
        return client


@pytest.fixture
async def backends(start_rig):
    """`async with backends(count, **settings)`; the policy prefers the first ones."""

    @asynccontextmanager
    async def start(count: int = 2, options: str = "on-move=reopen", **settings):
        nodes = [Node(f"b{index}") for index in range(count)]
        async with AsyncExitStack() as stack:
            specs = []
            for index, node in enumerate(nodes):
                node.url = await stack.enter_async_context(node.listen())
                specs.append(f"{node.url}/app{index},name={node.name},weight={10 ** (3 - index)},{options}")
            settings = {"policy": "least-connected", "reopen_window_s": 0.02, "leave_deadline_s": 0.0, **settings}
            made = Backends(await start_rig(*specs, **settings), nodes)
            yield made
            await made.rig.hang_up()  # so that stopping has nobody to wait for

    return start


@pytest.mark.parametrize("how", ["reset", "end", "restart"])
async def test_a_client_goes_on_at_another_backend(backends, how):
    async with backends() as made:
        one, two = made.nodes
        client = await made.dial("/room?key=k&ticket=t", Cookie="c=d", Sec_WebSocket_Extensions="x")
        lost = await one.visit()
        assert made.loads == [1, 0]
        assert "sec-websocket-extensions" not in lost.head.lower()
        await client.send(text(b"before"))
        await eventually(lambda: lost.got == [b"before"])
        await lost.send(b"last")
        assert await client.frame() == (0x81, b"last")
        if how == "reset":
            lost.raw.reset()
        elif how == "end":
            lost.raw.writer.close()
        else:
            await lost.raw.send(RESTART)
        found = await two.visit()
        assert lost.target == "/app0/room?key=k&ticket=t"
        assert found.target == "/app1/room?key=k&ticket=t"
        says = "Ringway-Moved: lost; from=b0\r\n"
        assert says in found.head
        assert found.head.replace(says, "").split("\r\n")[1:] == lost.head.split("\r\n")[1:]
        await client.send(text(b"after"))
        await found.send(b"next")
        assert await client.frame() == (0x81, b"next")
        await eventually(lambda: found.got == [b"after"])
        assert lost.close == ((1012, "") if how == "restart" else None)
        assert made.loads == [0, 1]
        assert (made.stats.reopened, made.stats.relays_opened, made.stats.cut) == (1, 1, {})
        await client.close()
        await made.rig.idle()
        assert made.loads == [0, 0]


@pytest.mark.parametrize("code", [1000, 1001, 1011, 3000, 4012])
async def test_other_closes_are_passed_on(backends, code):
    async with backends() as made:
        client = await made.dial()
        visit = await made.nodes[0].visit()
        await visit.raw.send(server_frame(CLOSE, close_payload(code, "bye")))
        assert await told(client) == (code, "bye")
        await client.close()
        await made.rig.idle()
        assert made.stats.reopened == 0
        assert made.nodes[1].asked == []


@pytest.mark.parametrize("how", ["lost", "restart"])
@pytest.mark.parametrize("half", ["client", "client in fragments", "backend in fragments"])
async def test_a_message_half_sent_cannot_be_continued(backends, how, half):
    async with backends() as made:
        client = await made.dial()
        visit = await made.nodes[0].visit()
        if half == "backend in fragments":
            await visit.raw.send(b"\x01\x02ha")
            assert await client.frame() == (0x01, b"ha")
        else:
            first = masked(0x01, b"ha") if "fragments" in half else text(b"half")[:-1]
            await client.send(first)
            await eventually(lambda: made.rig.gateway.relays.tally() or made.stats.bytes_to_node == len(first))
        if how == "lost":
            visit.raw.reset()
        else:
            await visit.raw.send(RESTART)
        assert await told(client) == NODE_LOST
        await client.close()
        await made.rig.idle()
        assert (made.stats.cut, made.stats.moves_failed) == ({"move": 1}, {"message": 1})
        assert made.nodes[1].asked == []


async def test_a_frame_of_a_lost_backend_that_stands_half_sent_ends_the_connection(backends):
    async with backends() as made:
        client = await made.dial()
        visit = await made.nodes[0].visit()
        await visit.raw.send(b"\x81\x05he")
        assert await client.reader.readexactly(4) == b"\x81\x05he"
        visit.raw.reset()
        assert await client.rest() == b""
        await made.rig.idle()
        assert made.stats.moves_failed == {"message": 1}


async def test_a_close_frame_half_sent_is_a_loss(backends):
    async with backends() as made:
        client = await made.dial()
        visit = await made.nodes[0].visit()
        await visit.raw.send(server_frame(TEXT, b"a") + RESTART[:4])
        assert await client.frame() == (0x81, b"a")
        visit.raw.writer.close()
        await (await made.nodes[1].visit()).send(b"b")
        assert await client.frame() == (0x81, b"b")


async def test_backends_that_are_to_close_do_so(backends):
    async with backends(options="on-move=close") as made:
        client, other = await made.dial(Sec_WebSocket_Extensions="x"), await made.dial()
        assert "sec-websocket-extensions: x" in (await made.nodes[0].visit()).head
        (await made.nodes[0].visit()).raw.reset()
        assert await told(client) == NODE_LOST
        await (await made.nodes[0].visit(1)).raw.send(RESTART)
        assert await told(other) == (1012, "restarting")
        assert made.stats.cut == {"node_lost": 1}
        assert made.stats.moves_failed == {}


async def test_one_that_does_not_listen_is_passed_over(backends):
    async with backends(3) as made:
        one, two, three = made.nodes
        client = await made.dial()
        two.refuse(503)
        (await one.visit()).raw.reset()
        await (await three.visit()).send(b"here")
        assert await client.frame() == (0x81, b"here")
        assert made.loads == [0, 0, 1]


async def test_the_only_one_is_asked_again_until_it_is_back(backends):
    async with backends(1, reopen_attempts=100) as made:
        (one,) = made.nodes
        client = await made.dial()
        one.refuse(503)
        (await one.visit()).raw.reset()
        await eventually(lambda: len(one.asked) > 3)
        one.answer = answer_101
        await (await one.visit(1)).send(b"again")
        assert await client.frame() == (0x81, b"again")
        assert made.loads == [1]


@pytest.mark.parametrize(
    ("status", "cause"), [(503, "refused"), (401, "refused"), (500, "unreachable"), (None, "unreachable")]
)
async def test_attempts_come_to_an_end(backends, status, cause):
    async with backends(reopen_attempts=3) as made:
        one, two = made.nodes
        client = await made.dial()
        for node in made.nodes:
            if status is None:
                node.answer = lambda head: None
            else:
                node.refuse(status)
        (await one.visit()).raw.reset()
        assert await told(client) == NODE_LOST
        await client.close()
        await made.rig.idle()
        assert made.stats.moves_failed == {cause: 1}
        assert made.loads == [0, 0]
        assert len(two.asked) == (1 if status == 401 else 3)  # what a client may not do it may not do elsewhere


async def test_the_deadline_ends_them_too(backends):
    async with backends(reopen_deadline_s=0.3) as made:
        one, two = made.nodes
        client = await made.dial()
        for node in made.nodes:
            node.go.clear()
        (await one.visit()).raw.reset()
        assert await told(client) == NODE_LOST
        await client.close()
        await made.rig.idle()
        assert made.stats.moves_failed == {"timeout": 1}
        await eventually(lambda: made.loads == [0, 0])
        for node in made.nodes:
            node.go.set()
        assert two.asked


async def test_a_backend_that_falls_over_a_client_is_not_fed_for_ever(backends):
    async with backends(reopen_attempts=4) as made:
        client = await made.dial()
        for node in made.nodes:
            node.first = RESTART
        (await made.nodes[0].visit()).raw.reset()
        assert await told(client) == NODE_LOST
        assert made.stats.reopened == 4
        assert made.stats.moves_failed == {"attempts": 1}


async def test_another_subprotocol_than_was_agreed_is_a_failure(backends):
    async with backends() as made:
        one, two = made.nodes
        one.answer = lambda head: answer_101(head, "Sec-WebSocket-Protocol: v1")
        client = await made.dial(Sec_WebSocket_Protocol="v1, v2")
        two.answer = lambda head: answer_101(head, "Sec-WebSocket-Protocol: v2")
        (await one.visit()).raw.reset()
        assert await told(client) == NODE_LOST
        await eventually(lambda: made.stats.moves_failed == {"answer": 1})


async def test_a_crowd_is_spread_and_arrives(backends):
    async with backends(reopen_window_s=0.5) as made:
        one, two = made.nodes
        clients = [await made.dial() for _ in range(40)]
        await eventually(lambda: len(one.visits) + len(two.visits) == 40)
        lost, there = list(one.visits), len(two.visits)
        assert len(lost) > 20
        loop = asyncio.get_running_loop()
        came: list[float] = []

        def note(head: bytes) -> bytes:
            came.append(loop.time())
            return answer_101(head)

        two.answer = note
        for visit in lost:
            visit.raw.reset()
        await eventually(lambda: made.stats.reopened == len(lost))
        for client in clients:
            await client.send(text(b"still here"))
        everywhere = one.visits, two.visits
        await eventually(lambda: sum(len(visit.got) for visits in everywhere for visit in visits) == 40, SLOW_S)
        assert len(two.visits) == there + len(came) == 40
        assert came[-1] - came[0] > 0.25  # they slept: however slow the machine is, that was not one instant
        assert made.loads == [0, 40]


async def test_a_backend_that_is_out_is_left_in_good_order(backends):
    async with backends() as made:
        one, two = made.nodes
        client = await made.dial()
        left = await one.visit()
        await client.send(masked(0x01, b"half"))
        await eventually(lambda: left.within_message)
        made.rig.tell("b0", out=True)
        await eventually(lambda: made.stats.relays_moving == 1)
        await left.send(b"goes on")
        assert await client.frame() == (0x81, b"goes on")
        one.before_end = server_frame(TEXT, b"last") + server_frame(CLOSE, close_payload(1001))
        await client.send(masked(0x80, b"way") + text(b"next"))
        found = await two.visit()
        assert (left.got, left.close) == ([b"halfway"], (1001, ""))
        assert await client.frame() == (0x81, b"last")
        await eventually(lambda: found.got == [b"next"])
        assert (made.stats.reopened, made.stats.cut, made.loads) == (1, {}, [0, 1])


async def test_a_backend_that_is_out_is_stayed_at_where_there_is_no_other(backends):
    async with backends() as made:
        one, two = made.nodes
        client = await made.dial()
        made.rig.tell("b1", out=True)
        made.rig.tell("b0", out=True)
        await eventually(lambda: not made.rig.gateway.relays.leaving)
        await client.send(text(b"still here"))
        await eventually(lambda: one.visits[0].got == [b"still here"])
        assert two.asked == []
        assert not made.stats.cut


async def test_a_backend_that_is_back_in_time_is_stayed_at(backends):
    async with backends() as made:
        client = await made.dial()
        made.rig.tell("b0", out=True)
        made.rig.tell("b0", out=False)
        await eventually(lambda: not made.rig.gateway.relays.leaving)
        await client.send(text(b"still here"))
        await eventually(lambda: made.nodes[0].visits[0].got == [b"still here"])
        assert made.stats.relays_moving == 0


async def test_a_client_that_does_not_finish_its_message_stays(backends):
    async with backends(close_answer_s=0.2) as made:
        client = await made.dial()
        visit = await made.nodes[0].visit()
        await client.send(masked(0x01, b"half"))
        await eventually(lambda: visit.within_message)
        made.rig.tell("b0", out=True)
        await eventually(lambda: made.stats.relays_moving == 1)
        await eventually(lambda: made.stats.relays_moving == 0)
        await client.send(masked(0x80, b"way"))
        await eventually(lambda: visit.got == [b"halfway"])
        await visit.send(b"hello")
        assert await client.frame() == (0x81, b"hello")


@pytest.mark.parametrize("how", ["close", "normal close", "end", "client closes", "client ends"])
async def test_whatever_happens_while_a_message_is_waited_for(backends, how):
    async with backends() as made:
        one, two = made.nodes
        client = await made.dial()
        visit = await one.visit()
        await client.send(masked(0x01, b"half"))
        await eventually(lambda: visit.within_message)
        made.rig.tell("b0", out=True)
        await eventually(lambda: made.stats.relays_moving == 1)
        match how:
            case "close":
                await visit.raw.send(RESTART)
            case "normal close":
                await visit.raw.send(server_frame(CLOSE, close_payload(1000, "bye")))
            case "end":
                visit.raw.writer.close()
            case "client closes":
                await client.send(masked(0x88, close_payload(1000, "bye")))
            case "client ends":
                client.writer.write_eof()
        expected = {"normal close": (1000, "bye"), "close": NODE_LOST, "end": NODE_LOST}
        if how in expected:
            assert await told(client) == expected[how]
        await client.close()
        await made.rig.idle()
        assert two.asked == []
        assert made.stats.moves_failed == ({"message": 1} if how in ("close", "end") else {})


async def test_a_backend_that_does_not_answer_our_goodbye_is_left_all_the_same(backends):
    async with backends(linger_s=0.2) as made:
        one, two = made.nodes
        one.hangs_up = False
        client = await made.dial()
        visit = await one.visit()
        made.rig.tell("b0", out=True)
        found = await two.visit()
        assert visit.close == (1001, "")
        await client.send(text(b"on"))
        await eventually(lambda: found.got == [b"on"])


@pytest.mark.parametrize("how", ["reset", "deadline"])
async def test_a_backend_that_stops_within_its_last_message(backends, how):
    async with backends(linger_s=0.2) as made:
        one, two = made.nodes
        one.hangs_up = how == "reset"
        one.before_end = b"\x01\x02ha"
        client = await made.dial()
        await one.visit()
        made.rig.tell("b0", out=True)
        assert await client.frame() == (0x01, b"ha")
        assert await told(client) == NODE_LOST
        await client.close()
        await made.rig.idle()
        assert made.stats.moves_failed == {"message": 1}
        assert two.asked == []


async def test_a_slow_backend_gets_all_of_the_last_message_before_our_goodbye(backends):
    frame = masked(0x82, b"x" * 60_000, b"\0\0\0\0")
    async with backends(linger_s=20.0) as made:
        one, two = made.nodes
        client = await made.dial()
        visit = await one.visit()
        visit.pause()

        async def flood() -> None:
            for _ in range(200):
                await client.send(frame)
            await client.send(text(b"end"))

        flooding = asyncio.create_task(flood())
        await eventually(lambda: made.rig.gateway.relays.tally() or made.stats.bytes_to_node > 500_000)
        made.rig.tell("b0", out=True)
        await eventually(lambda: made.stats.relays_moving == 1)
        visit.resume()
        found = await two.visit()
        await flooding
        await eventually(lambda: found.got[-1:] == [b"end"], SLOW_S)
        assert len(visit.got) + len(found.got) == 201
        assert visit.close == (1001, "")


async def test_stopping_the_gateway_ends_who_waits_for_a_backend(backends):
    async with backends(reopen_window_s=30.0, reopen_deadline_s=60.0) as made:
        client = await made.dial()
        (await made.nodes[0].visit()).raw.reset()
        await eventually(lambda: made.stats.relays_moving == 1)
        assert made.loads == [0, 0]
        stopping = asyncio.create_task(made.rig.gateway.stop())
        assert await told(client) == (1012, "the gateway is stopping")
        await client.close()
        await stopping
        await made.rig.idle()
        assert made.loads == [0, 0]


async def test_a_backend_is_told_goodbye_once(backends):
    async with backends(linger_s=20.0) as made:
        one, _ = made.nodes
        one.hangs_up = False
        client = await made.dial()
        visit = await one.visit()
        made.rig.tell("b0", out=True)
        await eventually(lambda: visit.close == (1001, ""))
        stopping = asyncio.create_task(made.rig.gateway.stop())
        assert await told(client) == (1012, "the gateway is stopping")
        await client.close()
        visit.raw.writer.close()
        await stopping
        assert visit.beyond == b""


async def test_leaving_in_good_order_uses_up_no_attempts(backends):
    async with backends(reopen_attempts=1) as made:
        client = await made.dial()
        for turn in range(1, 5):
            left, found = ("b0", "b1") if turn % 2 else ("b1", "b0")
            made.rig.tell(found, out=False)
            made.rig.tell(left, out=True)
            await eventually(lambda: made.stats.reopened == turn)  # noqa: B023
        await client.send(text(b"still here"))
        await eventually(lambda: made.nodes[0].visits[-1].got == [b"still here"])
        assert not made.stats.moves_failed


async def test_a_port_where_nobody_listens_counts_as_a_try(start_rig):
    node = Node("b0")
    async with node.listen() as url:
        rig = await start_rig(
            f"{url},name=b0,on-move=reopen,weight=10", f"ws://127.0.0.1:{unused_port()},name=b1", reopen_window_s=0.02,
            policy="least-connected",
        )  # fmt: skip
        client = await rig.dial()
        await client.send(handshake())
        assert (await client.head())[0] == 101
        (await node.visit()).raw.reset()
        await (await node.visit(1)).send(b"back at the first")
        assert await client.frame() == (0x81, b"back at the first")
        assert rig.stats.retries >= 1
