"""Calls of clients (RPC) at real nodes: answers, refusals, bounds, and calls whose client or node goes."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from integration.node.conftest import Dial, StartNode
from integration.node.follower import Follower
from integration.node.kit import CLOSE, N1, ask, eventually, frame, order
from ringway.errors import RpcDisconnect, RpcError
from ringway.node.config.rpc import RpcConfig, RpcOffer
from ringway.protocol.order import NodeConsent
from ringway.rpc import RpcCall

Answer = Callable[[RpcCall], Awaitable[bytes]]


class Held:
    """A handler that answers each call with its data when it is let go; `begun` are the calls that came."""

    def __init__(self) -> None:
        self.begun: list[RpcCall] = []
        self.ended: list[RpcCall] = []
        self.go = asyncio.Event()

    async def answer_call(self, call: RpcCall) -> bytes:
        self.begun.append(call)
        if call.method != "quick":
            await self.go.wait()
        self.ended.append(call)
        return call.raw_data


class By:
    """A handler of one function."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def answer_call(self, call: RpcCall) -> bytes:
        return await self._answer(call)


def offer(handler: Any, namespace: str = "", **config: Any) -> RpcOffer:
    return RpcOffer(RpcConfig(**config), {namespace: handler})


async def _say(call: RpcCall) -> bytes:
    said = [call.method, call.user, call.client, call.data, call.info, call.meta]
    return json.dumps(said).encode()


async def test_a_call_is_answered_with_what_is_known_of_its_client(start_node: StartNode, dial: Dial) -> None:
    node = await start_node(rpc=RpcOffer(RpcConfig(), {"": By(_say), "chat": By(_say)}))
    peer = await dial(node)
    client = (await peer.connect())["client"]
    assert (await peer.ask(rpc={"method": "m", "data": {"a": [1]}}))["rpc"]["data"] == [
        "m", "", client, {"a": [1]}, None, None,
    ]  # fmt: skip
    assert (await peer.ask(rpc={"method": "chat:m"}))["rpc"]["data"][3] is None
    assert node.stats.rpc_calls == {"ok": 2}


@pytest.mark.parametrize(
    ("method", "code"), [("m", 108), ("chat:m", 0), ("other:m", 104), ("x" * 256, 107), ("a\nb", 107)]
)
async def test_a_method_goes_to_the_handler_of_its_namespace(
    start_node: StartNode, dial: Dial, method: str, code: int
) -> None:
    peer = await dial(await start_node(rpc=offer(By(_say), "chat")), connect=True)
    reply = await peer.ask(rpc={"method": method})
    assert reply.get("error", {"code": 0})["code"] == code


@pytest.mark.parametrize("is_allowed", [False, True])
async def test_anonymous_clients_call_only_if_they_are_allowed_to(
    start_node: StartNode, dial: Dial, *, is_allowed: bool
) -> None:
    node = await start_node(
        insecure=False,
        allow_anonymous_connect_without_token=True,
        rpc=offer(By(_say), allow_for_anonymous=is_allowed),
    )
    reply = await (await dial(node, connect=True)).ask(rpc={"method": "m"})
    assert ("rpc" in reply) == is_allowed
    assert is_allowed or reply["error"]["code"] == 103


async def test_a_slow_call_keeps_no_other_command_waiting(start_node: StartNode, dial: Dial) -> None:
    held = Held()
    peer = await dial(await start_node(rpc=offer(held)), connect=True)
    peer.send({"id": 7, "rpc": {"method": "slow", "data": 1}}, {"id": 8, "rpc": {"method": "quick", "data": 2}})
    assert (await peer.reply(8))["rpc"] == {"data": 2}
    await peer.subscribe("c")
    await peer.publish("c", 1)
    held.go.set()
    assert (await peer.reply(7))["rpc"] == {"data": 1}
    assert [call.method for call in held.begun] == ["slow", "quick"]


def _raising(error: BaseException) -> By:
    async def answer(call: RpcCall) -> bytes:
        raise error

    return By(answer)


@pytest.mark.parametrize(
    ("error", "expected", "outcome"),
    [
        (RpcError(1000, "no such room"), {"code": 1000, "message": "no such room"}, "refused"),
        (RpcError(103, "no", temporary=True), {"code": 103, "message": "no", "temporary": True}, "refused"),
        (RpcError(1000, "\ud800" + "x" * 9999), {"code": 1000, "message": "?" + "x" * 4095}, "refused"),
        (RpcError("1000", 7), {"code": 100, "message": "internal server error"}, "failed"),  # type: ignore[arg-type]
        (RpcError(2000, "no"), {"code": 100, "message": "internal server error"}, "failed"),
        (ValueError("a secret"), {"code": 100, "message": "internal server error"}, "failed"),
        (TimeoutError(), {"code": 100, "message": "internal server error"}, "failed"),
        (SystemExit(3), {"code": 100, "message": "internal server error"}, "failed"),
        (asyncio.CancelledError(), {"code": 100, "message": "internal server error"}, "failed"),
        (RpcDisconnect(17), {"code": 100, "message": "internal server error"}, "failed"),
    ],
    ids=[
        "own code",
        "code of the protocol",
        "long",
        "no number",
        "no code",
        "exception",
        "timeout",
        "exit",
        "cancelled",
        "no close code",
    ],
)
async def test_a_refusal_or_failure_is_answered_with_an_error(
    start_node: StartNode, dial: Dial, error: BaseException, expected: dict[str, Any], outcome: str
) -> None:
    node = await start_node(rpc=offer(_raising(error)))
    peer = await dial(node, connect=True)
    assert (await peer.ask(rpc={"method": "m"}))["error"] == expected
    assert node.stats.rpc_calls == {outcome: 1}
    assert node.stats.errors == {expected["code"]: 1}
    assert await peer.ask(ping={}) == {"ping": {}}


@pytest.mark.parametrize("result", [None, "1", b"1\n2"], ids=["none", "text", "lines"])
async def test_a_result_that_is_no_line_of_json_is_an_error(start_node: StartNode, dial: Dial, result: Any) -> None:
    async def answer(call: RpcCall) -> bytes:
        return result  # type: ignore[no-any-return]

    peer = await dial(await start_node(rpc=offer(By(answer))), connect=True)
    assert (await peer.ask(rpc={"method": "m"}))["error"]["code"] == 100


async def test_a_handler_may_close_the_client(start_node: StartNode, dial: Dial) -> None:
    peer = await dial(await start_node(rpc=offer(_raising(RpcDisconnect(4501, "go away")))), connect=True)
    peer.send({"id": 5, "rpc": {"method": "m"}})
    assert await peer.closed() == (4501, "go away")


async def test_a_call_that_hangs_ends_at_its_deadline(start_node: StartNode, dial: Dial) -> None:
    held = Held()
    node = await start_node(rpc=offer(held, timeout_s=0.2))
    peer = await dial(node, connect=True)
    error = (await peer.ask(rpc={"method": "slow"}))["error"]
    assert error["code"] == 100
    assert "temporary" not in error
    assert node.stats.rpc_calls == {"late": 1}
    assert held.begun
    assert not held.ended


async def test_a_result_that_is_too_long_is_an_error(start_node: StartNode, dial: Dial) -> None:
    peer = await dial(await start_node(rpc=offer(Held(), result_bytes_max=1024)), connect=True)
    assert "rpc" in await peer.ask(rpc={"method": "quick", "data": "x" * 1022})
    assert (await peer.ask(rpc={"method": "quick", "data": "x" * 1023}))["error"]["code"] == 106


@pytest.mark.parametrize("bound", ["calls_max", "calls_per_client_max"])
async def test_calls_above_a_bound_are_refused_and_may_be_repeated(
    start_node: StartNode, dial: Dial, bound: str
) -> None:
    held = Held()
    node = await start_node(rpc=offer(held, **{bound: 2}))
    peer, other = await dial(node, connect=True), await dial(node, connect=True)
    peer.send(*({"id": number, "rpc": {"method": "slow"}} for number in (11, 12, 13)))
    error = (await peer.reply(13))["error"]
    assert (error["code"], error["temporary"]) == (111, True)
    assert node.stats.rpc_running == 2
    other.send({"id": 11, "rpc": {"method": "slow"}}, {"id": 12, "ping": {}})
    await other.reply(12)
    held.go.set()
    reply = await other.reply(11)
    assert ("rpc" in reply) == (bound == "calls_per_client_max")
    await peer.reply(11), await peer.reply(12)
    assert "rpc" in await peer.ask(rpc={"method": "slow"})
    await eventually(lambda: node.stats.rpc_running == 0)


async def test_a_close_of_the_client_is_answered_behind_its_calls(start_node: StartNode, dial: Dial) -> None:
    held = Held()
    peer = await dial(await start_node(rpc=offer(held), close_deadline_s=60.0), connect=True)
    peer.send({"id": 5, "rpc": {"method": "slow", "data": 5}})
    peer.raw(frame(CLOSE, (1000).to_bytes(2, "big")))
    await eventually(lambda: len(held.begun) == 1)
    held.go.set()
    assert (await peer.reply(5))["rpc"] == {"data": 5}
    assert (await peer.closed())[0] == 1000


async def test_a_call_whose_client_is_lost_goes_on_to_its_end(start_node: StartNode, dial: Dial) -> None:
    held = Held()
    node = await start_node(rpc=offer(held))
    peer = await dial(node, connect=True)
    peer.send({"id": 5, "rpc": {"method": "slow"}})
    await eventually(lambda: len(held.begun) == 1)
    peer.abort()
    await eventually(lambda: node.connections == 0)
    held.go.set()
    await eventually(lambda: len(held.ended) == 1)
    assert node.stats.rpc_calls == {"ok": 1}


async def test_a_node_that_stops_answers_the_calls_under_way_and_begins_no_more(
    start_node: StartNode, dial: Dial
) -> None:
    held = Held()
    node = await start_node(rpc=offer(held, timeout_s=60.0), stop_deadline_s=60.0)
    peer = await dial(node, connect=True)
    peer.send({"id": 5, "rpc": {"method": "slow", "data": 5}})
    await eventually(lambda: len(held.begun) == 1)
    stopping = asyncio.create_task(node.stop())
    async with asyncio.timeout(60):
        while (error := (await peer.ask(rpc={"method": "quick"})).get("error")) is None:
            await asyncio.sleep(0.01)
    assert (error["code"], error["temporary"]) == (111, True)
    held.go.set()
    assert (await peer.reply(5))["rpc"] == {"data": 5}
    assert (await peer.closed())[0] == 3001
    await stopping


async def test_a_call_that_never_ends_does_not_keep_a_node_from_stopping(start_node: StartNode, dial: Dial) -> None:
    held = Held()
    node = await start_node(rpc=offer(held, timeout_s=300.0), stop_deadline_s=0.2)
    peer = await dial(node, connect=True)
    peer.send({"id": 5, "rpc": {"method": "slow"}})
    await eventually(lambda: len(held.begun) == 1)
    async with asyncio.timeout(60):
        await node.stop()
    assert not held.ended


async def test_a_handler_calls_the_server_in_its_process(start_node: StartNode, dial: Dial) -> None:
    async def answer(call: RpcCall) -> bytes:
        position = await call.server.publish("c", {"from": call.client})
        assert list(await call.server.connections()) == [call.client]
        await call.server.subscribe("", "more", client=call.client)
        return json.dumps(position.offset).encode()

    peer = await dial(await start_node(rpc=offer(By(answer)), namespaces=("default:history_size=1",)))
    client = (await peer.connect())["client"]
    await peer.subscribe("c")
    assert (await peer.ask(rpc={"method": "m"}))["rpc"]["data"] == 1
    assert (await peer.push())["pub"]["data"] == {"from": client}
    assert (await peer.push())["channel"] == "more"


# moves


@pytest.fixture
async def follower(start_node: StartNode, held: Held) -> AsyncIterator[Follower]:
    """A client of n1 that follows moves, with n2 beside it."""
    rpc = offer(held, timeout_s=60.0)
    donor, target = await start_node("n1", rpc=rpc), await start_node("n2", rpc=rpc)
    follower = await Follower.open(donor, target, channels=("c",))
    yield follower
    follower.peer.abort()


@pytest.fixture
def held() -> Held:
    return Held()


async def test_a_client_is_moved_when_its_calls_are_answered_and_is_served_until_then(
    follower: Follower, held: Held, hub: Any
) -> None:
    donor, target = follower.nodes["n1"], follower.nodes["n2"]
    number = follower.send(rpc={"method": "slow", "data": 1})
    await eventually(lambda: len(held.begun) == 1)
    assert await ask(hub, order(1), N1) == NodeConsent()
    for _ in range(3):  # the donor serves it, also with calls
        assert (await follower.reply(follower.send(publish={"channel": "c", "data": 2})))["publish"] == {}
        assert (await follower.reply(follower.send(rpc={"method": "quick", "data": 3})))["rpc"] == {"data": 3}
    assert donor.connections == 1
    held.go.set()
    await follower.told_to_move()
    await eventually(lambda: len(held.ended) == 4)
    assert [line["rpc"] for line in follower.got if line.get("id") == number] == [{"data": 1}]
    await follower.follow()
    assert (await follower.reply(follower.send(rpc={"method": "slow", "data": 4})))["rpc"] == {"data": 4}
    assert target.connections == 1
    assert (donor.stats.handovers, donor.stats.handovers_failed) == (1, 0)


async def test_a_client_that_calls_all_the_time_is_moved_and_gets_every_answer_once(
    start_node: StartNode, hub: Any
) -> None:
    async def slowly(call: RpcCall) -> bytes:
        await asyncio.sleep(0.15)
        return call.raw_data

    rpc = offer(By(slowly), timeout_s=0.5)
    donor, target = await start_node("n1", rpc=rpc), await start_node("n2", rpc=rpc)
    follower = await Follower.open(donor, target)
    sent: list[int] = []

    async def call_on() -> None:
        while follower.move is None or len(sent) % 10:
            sent.append(follower.send(rpc={"method": "m", "data": len(sent)}))
            await asyncio.sleep(0.03)

    assert await ask(hub, order(1), N1) == NodeConsent()
    calling = asyncio.create_task(call_on())
    await follower.told_to_move()
    await calling
    await follower.follow()
    for at, number in enumerate(sent):
        assert (await follower.reply(number))["rpc"] == {"data": at}
    assert (donor.stats.handovers, donor.stats.handovers_failed) == (1, 0)
    assert target.stats.rpc_calls["ok"] + donor.stats.rpc_calls["ok"] == len(sent)
    follower.peer.abort()


async def test_clients_whose_calls_hang_keep_no_others_from_being_moved(
    start_node: StartNode, held: Held, hub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ringway.node.sessions.donor.HANDOVERS_MAX", 1)
    rpc = offer(held, timeout_s=300.0)
    donor, target = await start_node("n1", rpc=rpc), await start_node("n2", rpc=rpc)
    calling = [await Follower.open(donor, target) for _ in range(3)]
    for follower in calling:
        follower.send(rpc={"method": "slow"})
    await eventually(lambda: len(held.begun) == 3)
    quiet = await Follower.open(donor, target)
    assert await ask(hub, order(4), N1) == NodeConsent()
    await quiet.follow()
    await eventually(lambda: target.connections == 1)
    assert donor.connections == 3
    held.go.set()
    for follower in calling:
        await follower.follow()
    await eventually(lambda: target.connections == 4)
    for follower in [*calling, quiet]:
        follower.peer.abort()


async def test_a_client_that_follows_no_moves_is_closed_when_its_calls_are_answered(
    start_node: StartNode, dial: Dial, held: Held, hub: Any
) -> None:
    rpc = offer(held, timeout_s=60.0)
    donor, _ = await start_node("n1", rpc=rpc), await start_node("n2", rpc=rpc)
    peer = await dial(donor, connect=True)
    peer.send({"id": 5, "rpc": {"method": "slow", "data": 5}})
    await eventually(lambda: len(held.begun) == 1)
    assert await ask(hub, order(1), N1) == NodeConsent()
    assert await peer.ask(ping={}) == {"ping": {}}
    held.go.set()
    assert (await peer.reply(5))["rpc"] == {"data": 5}
    code, reason = await peer.closed()
    assert (code, reason.split()[:2]) == (1012, ["move", "n2"])


async def test_who_is_lost_while_its_move_waits_for_a_call_leaves_nothing_behind(
    follower: Follower, held: Held, hub: Any
) -> None:
    donor, target = follower.nodes["n1"], follower.nodes["n2"]
    follower.send(rpc={"method": "slow"})
    await eventually(lambda: len(held.begun) == 1)
    assert await ask(hub, order(1), N1) == NodeConsent()
    follower.peer.abort()
    await eventually(lambda: donor.connections == 0)
    held.go.set()
    await eventually(lambda: len(held.ended) == 1)
    await eventually(lambda: not list(donor.clients.donors))
    assert not target.clients.targets.incoming("c")  # type: ignore[arg-type]
