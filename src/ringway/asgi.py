"""Channel node in the process of an ASGI application, as FastAPI's: it starts and stops with the application.

The node has a port of its own, joins the other members like `ringway node`, and its clients call functions of the
application. The application calls the server without HTTP. Needs `ringway[server]`.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

from ringway.app.compose.node import Hosted, run_node
from ringway.app.config import Given, all_fields, load_joined
from ringway.app.log_writer import LogWriter
from ringway.app.shutdown import Stop
from ringway.app.start_check import node_problems
from ringway.errors import ConfigError, RpcError
from ringway.logger import LEVELS, Event, logging_to
from ringway.node.rpc_function import CallThreads, Function, RpcFunction
from ringway.node.server import ChannelNode
from ringway.protocol.errorcode import METHOD_NOT_FOUND
from ringway.rpc import RpcCall, namespace_of_method
from ringway.server_methods import ServerMethods
from ringway.tasks import Tasks, leave_to_waiter

F = TypeVar("F", bound=Function)

_log = logging.getLogger("ringway")


class Node:
    """A channel node in this process. Use it as `FastAPI(lifespan=node.lifespan)`, or as `async with node`.

    Its settings are those of `ringway node`: `settings` by their paths, as {"node.port": 8100}; then the environment,
    then the TOML file `config`; without an engine it joins the system that `ringway up` runs from the directory
    `state`. Raise `ConfigError` for settings that cannot work. The log goes to the logger `ringway` of `logging`.
    """

    def __init__(
        self, settings: Mapping[str, Any] | None = None, *, config: str | None = None, state: str | None = None
    ) -> None:
        flags = {path: Given(value, "the settings of Node") for path, value in (settings or {}).items()}
        if unknown := [path for path in flags if path not in all_fields()]:
            raise ConfigError(f"there is no setting {unknown[0]}; `ringway config show` lists them, as node.port")
        self._config = load_joined(flags=flags, file=config, state=state, check=node_problems).config
        self._methods: dict[str, _Methods] = {}
        self._threads = CallThreads(self._config.rpc.threads_max)
        self._stop = Stop()
        self._tasks = Tasks(leave_to_waiter)
        self._running: asyncio.Task[int] | None = None
        self._node: ChannelNode | None = None
        self._server: ServerMethods | None = None

    def rpc(self, method: str) -> Callable[[F], F]:
        """Let the decorated function answer clients' calls of `method`, `async` or in a thread (`ringway.RpcCall`).

        Raise `ConfigError` if the method has a function already.
        """

        def decorate(function: F) -> F:
            methods = self._methods.setdefault(namespace_of_method(method), _Methods())
            if method in methods.functions:
                raise ConfigError(f"the method {method!r} has a function already; give each method one")
            methods.functions[method] = RpcFunction(function, self._threads)
            return function

        return decorate

    @property
    def server(self) -> ServerMethods:
        """The server API in this process: publish, cut users off, and so on. Raise `RuntimeError` before the start."""
        if self._server is None:
            raise RuntimeError("the node is not started; give the application lifespan=node.lifespan")
        return self._server

    @property
    def url(self) -> str:
        """The URL at which clients and members reach the node. Raise `RuntimeError` before the start."""
        if self._node is None:
            raise RuntimeError("the node is not started; give the application lifespan=node.lifespan")
        return self._node.url

    async def start(self) -> None:
        """Start the node; return when it accepts clients. Raise `ConfigError` or `EngineError` if it cannot start."""
        if self._running is not None:
            raise RuntimeError("a node is started once; make another")
        started = asyncio.Event()

        def on_started(node: ChannelNode, server: ServerMethods) -> None:
            self._node, self._server = node, server
            started.set()

        hosted = Hosted(self._stop, on_started, self._methods)
        running = self._running = self._tasks.spawn(self._run(hosted), name="node in this process")
        waiting = self._tasks.spawn(started.wait(), name="start of the node in this process")
        await asyncio.wait([running, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if running.done():
            running.result()
            raise RuntimeError("the node ended at its start; the log says why")

    async def stop(self) -> None:
        """Move the clients away within `node.drain_within_s`, then stop. Idempotent."""
        self._stop.gentle = True
        self._stop.set()
        if self._running is not None:
            await asyncio.wait([self._running])
        await self._tasks.aclose()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def lifespan(self, app: object) -> AbstractAsyncContextManager[None]:
        """Run the node while the application runs: `FastAPI(lifespan=node.lifespan)`."""
        return self._while_up()

    @asynccontextmanager
    async def _while_up(self) -> AsyncIterator[None]:
        async with self:
            yield

    async def _run(self, hosted: Hosted) -> int:
        unwritten = LogWriter(None, 0, lambda count: "")
        with logging_to(_emit, LEVELS[self._config.log.level]):
            return await run_node(self._config, unwritten, hosted)


class _Methods:
    """The functions of one namespace, by method (`rpc.RpcHandler`)."""

    def __init__(self) -> None:
        self.functions: dict[str, RpcFunction] = {}

    async def answer_call(self, call: RpcCall) -> bytes:
        function = self.functions.get(call.method)
        if function is None:
            raise RpcError(METHOD_NOT_FOUND, f"method not found: this node answers no method {call.method}")
        return await function.answer_call(call)


def _emit(event: Event) -> None:
    """Give an event to `logging`."""
    fields = {name: value for name, value in event.items() if name not in ("event", "level", "exc_info")}
    text = " ".join([str(event["event"]), *(f"{name}={value!r}" for name, value in fields.items())])
    _log.log(LEVELS.get(str(event["level"]), logging.INFO), "%s", text, exc_info=event.get("exc_info"))
