"""Functions of Python that answer calls: what they return, what they raise, and where they run."""

import asyncio
import contextvars
import functools
import threading
from dataclasses import dataclass
from typing import Any

import pytest

from ringway.node.rpc_function import CallThreads, RpcFunction, encode_result
from ringway.rpc import RpcCall

CALL = RpcCall("m", "carol", "id", b"[1,2]")

where: contextvars.ContextVar[str] = contextvars.ContextVar("where", default="nowhere")


async def asynchronous(call: RpcCall) -> Any:
    return [threading.current_thread() is threading.main_thread(), call.data]


def plain(call: RpcCall) -> Any:
    return [threading.current_thread() is threading.main_thread(), call.data]


class Callable:
    async def __call__(self, call: RpcCall) -> Any:
        return await asynchronous(call)


@pytest.mark.parametrize(
    ("function", "in_loop"),
    [
        (asynchronous, True),
        (functools.partial(asynchronous), True),
        (Callable(), True),
        (plain, False),
        (functools.partial(plain), False),
    ],
    ids=["async", "partial of async", "object", "plain", "partial of plain"],
)
async def test_an_async_function_runs_in_the_loop_and_a_plain_one_in_a_thread(function: Any, *, in_loop: bool) -> None:
    answer = await RpcFunction(function, CallThreads(1)).answer_call(CALL)
    assert answer == (b"[true,[1,2]]" if in_loop else b"[false,[1,2]]")


async def test_what_a_plain_function_returns_is_awaited_where_it_can_be() -> None:
    assert await RpcFunction(lambda call: asynchronous(call), CallThreads(1)).answer_call(CALL) == b"[true,[1,2]]"


async def test_a_plain_function_sees_the_context_of_its_call() -> None:
    where.set("here")
    assert await RpcFunction(lambda call: where.get(), CallThreads(1)).answer_call(CALL) == b'"here"'


@pytest.mark.parametrize(
    ("error", "expected"),
    [(ValueError("no"), ValueError), (StopIteration(), RuntimeError), (SystemExit(1), RuntimeError)],
    ids=["exception", "end of an iterator", "exit"],
)
async def test_what_a_plain_function_raises_is_raised(error: BaseException, expected: type[Exception]) -> None:
    def fail(call: RpcCall) -> None:
        raise error

    with pytest.raises(expected) as raised:
        await RpcFunction(fail, CallThreads(1)).answer_call(CALL)
    assert error in (raised.value, raised.value.__cause__)


async def test_further_calls_wait_for_a_thread_and_one_that_hangs_keeps_its_own() -> None:
    go, begun = threading.Event(), []

    def hang(call: RpcCall) -> str:
        begun.append(call.method)
        go.wait(60)
        return call.method

    function = RpcFunction(hang, CallThreads(2))
    tasks = [asyncio.create_task(function.answer_call(RpcCall(name, "", ""))) for name in "abc"]
    async with asyncio.timeout(60):
        while len(begun) < 2:
            await asyncio.sleep(0.01)
    tasks[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]
    assert begun == ["a", "b"], "a hangs on, though nobody waits"
    go.set()
    assert [await tasks[1], await tasks[2]] == [b'"b"', b'"c"']


@dataclass
class Point:
    x: int


class Model:
    """As models of pydantic."""

    def model_dump(self, *, mode: str) -> Any:
        return {"mode": mode}


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (None, b"null"),
        ({"a": "\n"}, b'{"a":"\\n"}'),
        (Point(1), b'{"x":1}'),
        (Model(), b'{"mode":"json"}'),
        (b'{\n"a": 1}', b'{"a":1}'),
        (b"null", b"null"),
    ],
    ids=["nothing", "dict", "dataclass", "model", "raw", "raw null"],
)
def test_results_are_json_on_one_line(value: Any, encoded: bytes) -> None:
    assert encode_result(value) == encoded


@pytest.mark.parametrize(
    ("value", "error"),
    [(b"{", ValueError), (b"", ValueError), (object(), TypeError), ("\ud800", ValueError)],
    ids=["no JSON", "no bytes", "object", "half a pair"],
)
def test_what_has_no_json_form_is_an_error(value: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        encode_result(value)
