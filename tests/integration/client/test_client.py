"""The channel client against a scripted node: channels, publishes, reconnects, close codes, silence."""

import asyncio
import json

import msgspec
import pytest
from client_kit import QUICK, ScriptedNode, refusal, until

import ringway
from ringway.errors import CommandError, ConfigError, ConnectionClosed, Overloaded, UpgradeError

pytestmark = pytest.mark.timeout(60)


def client_of(node: ScriptedNode, **options: object) -> ringway.Client:
    return ringway.Client(node.url, **{"config": QUICK, **options})  # type: ignore[arg-type]


def quick(**fields: object) -> ringway.ClientConfig:
    return msgspec.structs.replace(QUICK, **fields)


async def test_publications_arrive_in_order_and_the_channel_is_left_in_the_end() -> None:
    async with ScriptedNode() as node, client_of(node) as client:
        assert (client.node, client.id) == ("n1", "c1")
        async with client.subscribe("room") as room:
            for number in range(50):
                await node.push("room", number)
            got = [(await room.receive()).data for _ in range(50)]
        assert got == list(range(50))
        await until(lambda: node.of("unsubscribe") == [{"channel": "room"}])


async def test_a_bare_loop_subscribes_and_leaves() -> None:
    async with ScriptedNode() as node, client_of(node) as client:
        subscription = client.subscribe("room")
        await until(lambda: node.channels.get("room"))
        await node.push("room", {"text": "hello"})
        async for publication in subscription:
            assert publication.data == {"text": "hello"}
            break
        await until(lambda: node.of("unsubscribe"))


async def test_several_publications_in_one_frame_are_all_taken() -> None:
    async with ScriptedNode() as node, client_of(node) as client, client.subscribe("room") as room:
        lines = [json.dumps({"push": {"channel": "room", "pub": {"data": number}}}) for number in range(20)]
        await node.current.send("\n".join(["{}", *lines, ""]))
        assert [(await room.receive()).data for _ in range(20)] == list(range(20))
        await until(lambda: node.pongs == 1, "the pong to a ping among other lines")


async def test_publish_carries_any_json_and_waits_for_the_answer() -> None:
    async with ScriptedNode() as node, client_of(node) as client:
        for data in (None, 0, "ü", [1, {"a": None}], {"deep": {"er": [True]}}):
            await client.publish("room", data)
            assert node.of("publish")[-1] == {"channel": "room", "data": data}
        with pytest.raises(TypeError):
            await client.publish("room", object())
        with pytest.raises(CommandError, match="107"):
            await client.publish("", 1)
        assert len(node.of("publish")) == 5


async def test_many_publishes_at_once_each_get_their_own_answer() -> None:
    async with ScriptedNode() as node, client_of(node) as client:
        node.publish = lambda request: refusal(103) if request["data"] % 2 else {"publish": {}}
        results = await asyncio.gather(*(client.publish("room", n) for n in range(100)), return_exceptions=True)
        assert [isinstance(result, CommandError) for result in results] == [bool(n % 2) for n in range(100)]


async def test_a_temporary_refusal_is_repeated_and_another_is_raised() -> None:
    async with ScriptedNode() as node, client_of(node) as client:
        node.publish = lambda _: {"publish": {}} if len(node.of("publish")) > 3 else refusal(100, temporary=True)
        await client.publish("room", 1)
        assert len(node.of("publish")) == 4
        node.publish = lambda _: refusal(107)
        with pytest.raises(CommandError, match="107") as refused:
            await client.publish("room", 1)
        assert not refused.value.temporary
        assert len(node.of("publish")) == 5


async def test_a_refusal_that_does_not_pass_is_raised_at_the_deadline() -> None:
    async with ScriptedNode() as node, client_of(node) as client:
        node.publish = lambda _: refusal(100, temporary=True)
        with pytest.raises(CommandError, match="100"):
            await client.publish("room", 1, timeout_s=0.2)
        node.publish = lambda _: None
        with pytest.raises(TimeoutError, match="room"):
            await client.publish("room", 1, timeout_s=0.2)


async def test_a_publish_whose_answer_is_lost_is_not_repeated() -> None:
    async with ScriptedNode() as node, client_of(node) as client:
        node.publish = lambda _: node.current.transport.abort()
        with pytest.raises(ConnectionClosed, match="1006"):
            await client.publish("room", 1)
        await until(lambda: client.node)
        assert len(node.of("publish")) == 1


async def test_a_publish_waits_for_a_connection() -> None:
    async with ScriptedNode() as node, client_of(node) as client:
        async with client.subscribe("room") as room:
            node.refuse_next = [(503, {})] * 3
            node.current.transport.abort()
            await until(lambda: client.node is None)
            assert not room.confirmed
            await client.publish("room", "later")
        assert len(node.connections) == 2


async def test_unanswered_publishes_are_bounded() -> None:
    async with ScriptedNode() as node, client_of(node, config=quick(pending_max=10)) as client:
        node.publish = lambda _: None
        waiting = [asyncio.ensure_future(client.publish("room", n)) for n in range(10)]
        await until(lambda: len(node.of("publish")) == 10)
        with pytest.raises(Overloaded, match="pending_max"):
            await client.publish("room", 10)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        node.publish = lambda _: {"publish": {}}
        await client.publish("room", 11)


async def test_after_a_reconnect_everything_is_subscribed_again_in_few_frames() -> None:
    async with ScriptedNode() as node, client_of(node) as client:
        rooms = [client.subscribe(f"room-{n}") for n in range(100)]
        await until(lambda: all(room.confirmed for room in rooms))
        node.frames.clear()
        await node.current.close(3001, "shutdown")
        await until(lambda: len(node.connections) == 2 and all(room.confirmed for room in rooms))
        assert len(node.frames) == 2  # connect, and everything else
        await node.push("room-7", "again")
        assert (await rooms[7].receive()).data == "again"


@pytest.mark.parametrize("code", [1001, 1012, 1013, 3000, 3008, 3012, 4000, 4499])
async def test_codes_that_ask_for_it_reconnect(code: int) -> None:
    async with ScriptedNode() as node, client_of(node) as client:
        await node.current.close(code, "for the test")
        await until(lambda: len(node.connections) == 2 and client.node)


@pytest.mark.parametrize("code", [3500, 3503, 3999, 4500, 4999])
async def test_final_codes_stop_the_client_and_everybody_learns_why(code: int) -> None:
    async with ScriptedNode() as node, client_of(node) as client:
        subscription = client.subscribe("room")
        await until(lambda: subscription.confirmed)
        await node.current.close(code, "go away")
        for attempt in (subscription.receive(), client.publish("room", 1), client.wait_closed()):
            with pytest.raises(ConnectionClosed, match=f"{code}.*go away"):
                await attempt
        with pytest.raises(ConnectionClosed):
            client.subscribe("another")
        assert len(node.connections) == 1


async def test_a_client_that_is_closed_ends_its_loops_quietly_and_says_goodbye() -> None:
    async with ScriptedNode() as node:
        async with client_of(node) as client:
            reading = asyncio.ensure_future(_read(client.subscribe("room")))
            await until(lambda: node.channels.get("room"))
        assert await reading == []
        await node.current.wait_closed()
        assert node.current.close_code == 1000
        await client.wait_closed()
        await client.close()
        with pytest.raises(ConnectionClosed):
            await client.publish("room", 1)


async def _read(subscription: ringway.Subscription) -> list[object]:
    return [publication.data async for publication in subscription]


async def test_pings_are_answered_where_the_server_wants_it() -> None:
    async with ScriptedNode() as node, client_of(node):
        await node.current.send("{}")
        await until(lambda: node.pongs == 1)
    async with ScriptedNode() as node:
        node.connect = lambda _: {"connect": {"client": "c", "node": "n1", "ping": 25}}
        async with client_of(node):
            await node.current.send("{}")
            await (await node.current.ping())
            assert node.pongs == 0


async def test_a_silent_server_is_left() -> None:
    async with ScriptedNode() as node:
        node.connect = lambda _: {"connect": {"client": "c", "node": "n1", "ping": 1, "pong": True}}
        lost: list[str] = []

        def note(event: ringway.Event) -> None:
            if isinstance(event, ringway.Disconnected):
                lost.append(event.reason)

        async with client_of(node, config=quick(ping_tolerance_s=0.1), on_event=note):
            await until(lambda: len(node.connections) == 2)
        assert "silent" in lost[0]


async def test_a_server_that_pings_is_kept() -> None:
    async with ScriptedNode() as node:
        node.connect = lambda _: {"connect": {"client": "c", "node": "n1", "ping": 1, "pong": True}}
        async with client_of(node, config=quick(ping_tolerance_s=2.0)):
            for _ in range(12):
                await asyncio.sleep(0.3)
                await node.current.send("{}")
            await until(lambda: node.pongs == 12)
        assert len(node.connections) == 1


@pytest.mark.parametrize("frame", ["no json", '{"push": 3}', b"\x00binary", '{"id": "one"}'])
async def test_what_is_not_the_protocol_ends_the_connection_and_only_that(frame: str | bytes) -> None:
    async with ScriptedNode() as node, client_of(node) as client:
        await node.current.send(frame)
        await until(lambda: len(node.connections) == 2 and client.node)
        assert node.connections[0].close_code in (3501, 1003)


async def test_what_is_not_known_is_skipped() -> None:
    async with ScriptedNode() as node, client_of(node) as client, client.subscribe("room") as room:
        for frame in (
            '{"push": {"channel": "room", "message": {"data": {}}}}',
            '{"push": {"channel": "room", "join": {"info": {"user": "", "client": "c", "conn_info": {}}}}}',
            '{"id": 999, "publish": {}}',
            '{"new": 1}',
        ):
            await node.current.send(frame)
        await node.push("room", "after")
        assert (await room.receive()).data == "after"


async def test_a_refused_connect_is_raised_at_once_when_it_is_final() -> None:
    async with ScriptedNode() as node:
        node.connect = lambda _: refusal(103, "permission denied")
        with pytest.raises(CommandError, match="103"):
            await client_of(node).open()
        assert len(node.connections) == 1


async def test_a_connect_that_is_refused_for_a_time_is_repeated() -> None:
    async with ScriptedNode() as node:
        good = node.connect
        node.connect = lambda request: good(request) if len(node.connections) > 2 else refusal(100, temporary=True)
        async with client_of(node) as client:
            assert client.id == "c3"


async def test_a_node_that_does_not_answer_connect_is_left() -> None:
    async with ScriptedNode() as node:
        node.connect = lambda _: None
        with pytest.raises(TimeoutError, match="did not answer connect"):
            await client_of(node, config=quick(attempt_timeout_s=0.2, open_timeout_s=1.0)).open()
        assert len(node.connections) > 1
        await until(lambda: all(connection.close_code for connection in node.connections))


async def test_nobody_there_is_said_within_the_time_to_open() -> None:
    async with ScriptedNode() as node:
        url = node.url
    with pytest.raises(ConnectionRefusedError):
        await ringway.Client(url, config=quick(open_timeout_s=0.3)).open()


async def test_a_wrong_path_is_said_at_once() -> None:
    async with ScriptedNode() as node:
        node.refuse_next = [(404, {})] * 10
        with pytest.raises(UpgradeError) as refused:
            await client_of(node).open()
        assert refused.value.status == 404
        assert len(node.paths) == 1


async def test_once_open_a_client_comes_back_whatever_it_meets() -> None:
    async with ScriptedNode() as node, client_of(node) as client:
        node.refuse_next = [(404, {}), (403, {}), (503, {"Retry-After": "0"}), (302, {"Location": "ws://elsewhere"})]
        node.current.transport.abort()
        await until(lambda: len(node.connections) == 2 and client.node)
        assert len(node.paths) == 6


async def test_retry_after_of_a_handshake_is_obeyed() -> None:
    events: list[ringway.Event] = []
    async with ScriptedNode() as node, client_of(node, on_event=events.append) as client:
        node.refuse_next = [(503, {"Retry-After": "1"})]
        node.current.transport.abort()
        await until(lambda: len(node.connections) == 2 and client.node)
        assert [event.retry_in_s >= 1.0 for event in events if isinstance(event, ringway.Failed)] == [True]


async def test_events_tell_the_story() -> None:
    events: list[ringway.Event] = []
    async with ScriptedNode() as node, client_of(node, on_event=events.append) as client:
        await node.current.close(3001, "shutdown")
        await until(lambda: len(node.connections) == 2 and client.node)
    await until(lambda: len(events) == 4)
    assert events[0] == ringway.Connected("n1", "c1", moved=False)
    assert isinstance(events[1], ringway.Disconnected)
    assert (events[1].code, events[1].reason, events[1].move_to) == (3001, "shutdown", None)
    assert events[1].retry_in_s is not None
    assert events[2] == ringway.Connected("n1", "c2", moved=False)
    assert isinstance(events[3], ringway.Disconnected)
    assert (events[3].code, events[3].retry_in_s) == (1000, None)


async def test_a_client_that_gives_up_waiting_leaves_nothing_behind() -> None:
    async with ScriptedNode() as node:
        node.connect = lambda _: None
        opening = asyncio.ensure_future(client_of(node).open())
        await until(lambda: node.of("connect"))
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        await until(lambda: node.current.close_code)


async def test_a_client_costs_one_task() -> None:
    async with ScriptedNode() as node, client_of(node):
        mine = [task for task in asyncio.all_tasks() if "client" in task.get_name()]
        assert [task.get_name() for task in mine] == ["ringway-client"]


async def test_a_client_is_opened_once() -> None:
    async with ScriptedNode() as node, client_of(node) as client:
        with pytest.raises(RuntimeError):
            await client.open()


@pytest.mark.parametrize("arguments", [{"url": "nowhere"}, {"url": []}, {"url": "ws://h", "via": "magic"}])
def test_arguments_that_cannot_work_are_refused_where_they_are_given(arguments: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        ringway.Client(**arguments)  # type: ignore[arg-type]
