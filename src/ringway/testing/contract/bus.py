"""Contract of a bus; part of `contract.engine`."""
# ruff: noqa: D102 - the names of the tests are sentences

import asyncio
from collections.abc import Awaitable, Callable

from ringway.errors import NoAnswer
from ringway.testing.contract.world import PATIENCE_S, World, echo, members


async def no_answer(call: Awaitable[bytes]) -> NoAnswer:
    """Return the error of a call that must have no answer."""
    try:
        answer = await call
    except NoAnswer as error:
        return error
    raise AssertionError(f"the call was answered: {answer!r}")


class BusContract:
    """A call gets one answer, or raises `NoAnswer` in time."""

    async def test_a_call_is_answered_by_another_member_and_by_oneself(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            await b.bus.serve("node.b.1-x_y", echo)
            for caller in (a, b):
                assert await caller.bus.call("node.b.1-x_y", b"hi", timeout_s=PATIENCE_S) == b"echo hi"

    async def test_many_calls_at_once_get_their_own_answers(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            await b.bus.serve("node.b", echo)
            asked = [b"%d" % i for i in range(200)]
            answers = await asyncio.gather(*(a.bus.call("node.b", q, timeout_s=PATIENCE_S) for q in asked))
            assert answers == [b"echo " + q for q in asked]

    async def test_where_nobody_serves_the_caller_hears_so_at_once(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            serving = await b.bus.serve("node.b", echo)
            await serving.close()
            await serving.close()
            async with asyncio.timeout(PATIENCE_S):
                for address in ("node.b", "node.nobody"):
                    error = await no_answer(a.bus.call(address, b"", timeout_s=10 * PATIENCE_S))
                    assert not error.timed_out
                    assert await a.bus.gather(address, b"", timeout_s=10 * PATIENCE_S) == []

    async def test_a_call_ends_at_its_deadline(self, world: World) -> None:
        asked = asyncio.Event()
        release = asyncio.Event()

        async def late(request: bytes) -> bytes:
            asked.set()
            await release.wait()
            return b"late"

        async with members(world, 2) as (a, b):
            await b.bus.serve("node.b", late)
            assert (await no_answer(a.bus.call("node.b", b"", timeout_s=0.2))).timed_out
            async with asyncio.timeout(PATIENCE_S):
                await asked.wait()
            release.set()

    async def test_a_handler_may_leave_a_request_without_an_answer(self, world: World) -> None:
        async def silent(request: bytes) -> bytes | None:
            return None if request == b"stranger" else b"fine"

        async with members(world, 2) as (a, b):
            await b.bus.serve("node.b", silent)
            assert (await no_answer(a.bus.call("node.b", b"stranger", timeout_s=0.2))).timed_out
            assert await a.bus.call("node.b", b"", timeout_s=PATIENCE_S) == b"fine"

    async def test_a_failing_handler_is_no_answer_and_serves_on(self, world: World) -> None:
        async def picky(request: bytes) -> bytes:
            if request == b"bad":
                raise ValueError("not this")
            return b"fine"

        async with members(world, 2) as (a, b):
            await b.bus.serve("node.b", picky)
            async with asyncio.timeout(PATIENCE_S):
                assert not (await no_answer(a.bus.call("node.b", b"bad", timeout_s=10 * PATIENCE_S))).timed_out
            assert await a.bus.call("node.b", b"good", timeout_s=PATIENCE_S) == b"fine"

    async def test_one_server_gets_a_call_and_all_get_a_gathering(self, world: World) -> None:
        handled: list[bytes] = []

        def server(name: bytes) -> Callable[[bytes], "asyncio.Future[bytes]"]:
            def handle(request: bytes) -> "asyncio.Future[bytes]":
                handled.append(request)
                answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
                answer.set_result(name)
                return answer

            return handle

        async with members(world, 3) as (a, b, c):
            await b.bus.serve("presence", server(b"b"))
            await c.bus.serve("presence", server(b"c"))
            answers = await a.bus.gather("presence", b"all", timeout_s=PATIENCE_S, expected=2)
            assert sorted(answers) == [b"b", b"c"]
            assert await a.bus.call("presence", b"one", timeout_s=PATIENCE_S) in (b"b", b"c")
            assert sorted(await a.bus.gather("presence", b"all", timeout_s=0.3)) == [b"b", b"c"]
            assert handled.count(b"one") == 1

    async def test_gathering_returns_what_came_by_the_deadline(self, world: World) -> None:
        release = asyncio.Event()

        async def late(request: bytes) -> bytes:
            await release.wait()
            return b"late"

        async with members(world, 2) as (a, b):
            await a.bus.serve("presence", echo)
            await b.bus.serve("presence", late)
            assert await a.bus.gather("presence", b"1", timeout_s=0.5, expected=2) == [b"echo 1"]
            release.set()
