"""Functions of Python that answer clients' calls (RPC): `async` in the event loop, plain ones in threads.

A plain function has a thread of its own for each call, which dies with the process: a pool would be waited for at the
exit, even if a function hangs. A thread cannot be ended from outside, so a function that hangs holds one of
`threads_max` after its client was told that it is late.
"""

import asyncio
import contextvars
import inspect
import threading
from collections.abc import Callable
from typing import Any

import msgspec

from ringway.protocol.json_line import json_line
from ringway.rpc import RpcCall

Function = Callable[[RpcCall], Any]
"""Takes a call; returns anything with a JSON form, or raw JSON as bytes, or an awaitable of these."""


class CallThreads:
    """Runs plain functions in threads, at most `threads_max` at one time; further ones wait."""

    def __init__(self, threads_max: int) -> None:
        self._slots = asyncio.Semaphore(threads_max)

    async def run(self, function: Function, call: RpcCall) -> Any:
        """Return what `function` returns, or raise what it raises. If cancelled, the thread goes on to its end."""
        await self._slots.acquire()
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[Any] = loop.create_future()

        def on_ended(value: Any, error: BaseException | None) -> None:
            self._slots.release()
            if ended.done():
                return  # nobody waits any more
            if error is None:
                ended.set_result(value)
            else:
                ended.set_exception(error if isinstance(error, Exception) else _wrapped(error))

        def work() -> None:
            value: Any = None
            error: BaseException | None = None
            try:
                value = context.run(function, call)
            except StopIteration as stopped:
                error = _wrapped(stopped)  # a future refuses it
            except BaseException as raised:
                error = raised
            if not loop.is_closed():
                loop.call_soon_threadsafe(on_ended, value, error)

        context = contextvars.copy_context()
        threading.Thread(target=work, name=f"call {call.method}", daemon=True).start()
        return await ended


class RpcFunction:
    """Answers calls by `function` (`rpc.RpcHandler`)."""

    def __init__(self, function: Function, threads: CallThreads) -> None:
        self._function = function
        self._threads = threads
        self._is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
            getattr(function, "__call__", None)  # noqa: B004 - an object whose call is a coroutine function
        )

    async def answer_call(self, call: RpcCall) -> bytes:
        """Return what the function answers, as JSON. Raise what it raises, `TypeError` if there is no JSON form."""
        value = self._function(call) if self._is_async else await self._threads.run(self._function, call)
        return encode_result(await value if inspect.isawaitable(value) else value)


def encode_result(value: Any) -> bytes:
    """Return `value` as JSON on one line; bytes are JSON already.

    Raise `ValueError` if bytes are not JSON, `TypeError` if there is no JSON form. Models of pydantic have one.
    """
    if not isinstance(value, bytes):
        return _encode(value)
    line = json_line(value)
    if not line and value.strip() != b"null":
        raise ValueError(
            f"the function returned {len(value)} bytes that are not JSON; return a value, or JSON in UTF-8"
        )
    return line or b"null"


def _form_of(value: Any) -> Any:
    dump = getattr(value, "model_dump", None)
    if dump is None:
        raise TypeError(
            f"a {type(value).__name__} has no JSON form; return dicts, lists, texts, numbers or dataclasses"
        )
    return dump(mode="json")


def _wrapped(error: BaseException) -> RuntimeError:
    wrapped = RuntimeError(f"the function ended by {type(error).__name__}: {error}")
    wrapped.__cause__ = error
    return wrapped


_encode = msgspec.json.Encoder(enc_hook=_form_of).encode
