"""Python function as a source: `call:package.module:function`. It gets the node's `Facts` and returns a number.

A coroutine function runs in the event loop. Any other function may block, and runs in a thread. A call that is past its
deadline cannot be stopped, so its node is not measured again before the call has returned. The threads are daemons,
which do not prevent the end of the process.
"""

import asyncio
import importlib
import inspect
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ringway.collect.collector import CollectFailed, Facts
from ringway.errors import ConfigError
from ringway.types import NodeName

THREADS_MAX = 16
"""Calls of one metric at the same time, hanging calls included."""


class CallCollector:
    """Calls the function that `source` names."""

    def __init__(self, source: str) -> None:
        self._function = find_function(source)
        self._is_async = inspect.iscoroutinefunction(self._function)
        self._running: dict[NodeName, threading.Thread] = {}

    async def collect(self, node: Facts) -> float:
        """Return the number that the function returns."""
        result = self._function(node) if self._is_async else await self._in_thread(node)
        if inspect.isawaitable(result):
            result = await result
        if isinstance(result, bool) or not isinstance(result, (int, float)):
            raise CollectFailed(f"the function returned no number but {type(result).__name__}")
        return float(result)

    async def close(self) -> None:
        """Do nothing: threads that still run end with the process."""

    async def _in_thread(self, node: Facts) -> Any:
        self._running = {name: thread for name, thread in self._running.items() if thread.is_alive()}
        if node.name in self._running:
            raise CollectFailed("the last call has not returned yet")
        if len(self._running) >= THREADS_MAX:
            raise CollectFailed(f"{THREADS_MAX} calls of it have not returned yet")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()

        def deliver(result: Any, problem: str) -> None:
            if future.done():
                return
            if problem:
                future.set_exception(CollectFailed(problem))
            else:
                future.set_result(result)

        def run() -> None:
            result, problem = None, ""
            try:
                result = self._function(node)
            except Exception as error:
                problem = f"{type(error).__name__}: {error}"
            with suppress(RuntimeError):  # the loop was closed meanwhile, and nothing waits
                loop.call_soon_threadsafe(deliver, result, problem)

        thread = threading.Thread(target=run, name=f"collect {node.name}", daemon=True)
        self._running[node.name] = thread
        thread.start()
        return await future


def find_function(source: str) -> Callable[[Facts], Any]:
    """Return the function at `call:package.module:function`; raise `ConfigError`, which says what is missing."""
    module, colon, name = source.removeprefix("call:").partition(":")
    if not module or not colon or not name:
        raise ConfigError(f"the source {source!r} names no function; write call:package.module:function")
    try:
        found: Any = importlib.import_module(module)
    except Exception as error:  # the import runs foreign code, which may raise anything
        raise ConfigError(
            f"the module {module!r} cannot be imported ({type(error).__name__}: {error}); it must be on PYTHONPATH"
        ) from error
    for part in name.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise ConfigError(f"the module {module!r} has no function {name!r}")
    function: Callable[[Facts], Any] = found
    return function
