"""Calls of clients (RPC) under way at a node: their bounds, their deadline, and their answers (PROTOCOL.md P-4.23).

A call begins in the order of its client's commands, and later commands do not wait for it: each call has a task of its
own, and its reply is sent when it ends. A call whose client has gone goes on to its end, because it may have begun to
have its effect; its reply is dropped. While a client is moved to a different node its calls end here first
(`node.sessions.donor`).

Overflow rule: above `calls_per_client_max` of one client, or `calls_max` of all, a call is refused with 111.
"""

import asyncio
from collections.abc import Callable
from time import monotonic

from ringway.errors import CommandError, RpcDisconnect, RpcError
from ringway.logger import get_logger
from ringway.node.config.rpc import RpcOffer
from ringway.node.connection.connection import Connection
from ringway.node.connection.outbox import Outbox
from ringway.node.stats import NodeStats
from ringway.protocol.close import REASON_BYTES_MAX
from ringway.protocol.codec import encode, encode_error
from ringway.protocol.command import Reply, RpcResult, raw_or_absent
from ringway.protocol.errorcode import CODES, INTERNAL, LIMIT_EXCEEDED, TOO_MANY_REQUESTS, command_error
from ringway.rpc import RpcCall, RpcHandler
from ringway.server_methods import ServerMethods
from ringway.tasks import Tasks

OWN_CODES = range(400, 2000)
"""The error codes that handlers may give their own meaning, as Centrifugo's."""

CLOSE_CODES = range(3000, 5000)
"""The close codes with which handlers may close a client."""

MESSAGE_LENGTH_MAX = 4096
"""The longest message of a refusal; a longer one is cut."""

OK, REFUSED, CLOSED, FAILED, LATE, EXCESS = "ok", "refused", "closed", "failed", "late", "excess"
"""The outcomes of calls, in metrics."""

_log = get_logger()


class _ClientCalls:
    """The calls of one client under way, and who waits for their end."""

    __slots__ = ("count", "waiters")

    def __init__(self) -> None:
        self.count = 0
        self.waiters: list[Callable[[], object]] = []


class RpcCalls:
    """Carries out calls by the handlers of `offer`, and owns their tasks.

    `make_server` makes the server API that they may call, once, at the first call.
    """

    __slots__ = ("_clients", "_is_stopping", "_make_server", "_outbox", "_server", "_stats", "_tasks", "offer")

    def __init__(
        self, offer: RpcOffer, outbox: Outbox, stats: NodeStats, make_server: Callable[[], ServerMethods]
    ) -> None:
        self.offer = offer
        self._make_server = make_server
        self._server: ServerMethods | None = None
        self._outbox = outbox
        self._stats = stats
        self._clients: dict[Connection, _ClientCalls] = {}  # only those with calls under way
        self._is_stopping = False
        self._tasks = Tasks()

    def __len__(self) -> int:
        """Return the number of calls under way."""
        return len(self._tasks)

    @property
    def server(self) -> ServerMethods:
        """The server API of this node, in this process."""
        if self._server is None:
            self._server = self._make_server()
        return self._server

    def is_calling(self, connection: Connection) -> bool:
        """True if a call of the client is under way."""
        return connection in self._clients

    def begin(self, connection: Connection, command_id: int, handler: RpcHandler, call: RpcCall) -> None:
        """Begin a call, whose reply is sent when it ends. Raise `CommandError` 111 if there are too many."""
        config = self.offer.config
        calls = self._clients.get(connection)
        if self._is_stopping:
            raise self._excess("this node is stopping")
        if calls is not None and calls.count >= config.calls_per_client_max:
            raise self._excess(f"{calls.count} calls of this client are under way, as many as it may have")
        if len(self._tasks) >= config.calls_max:
            raise self._excess(f"{config.calls_max} calls are under way at this node, as many as there may be")
        if calls is None:
            calls = self._clients[connection] = _ClientCalls()
        calls.count += 1
        task = self._tasks.spawn(self._run(connection, command_id, handler, call), name="call of a client")
        task.add_done_callback(lambda _: self._on_ended(connection, calls))
        self._stats.rpc_running = len(self._tasks)

    def when_idle(self, connection: Connection, call: Callable[[], object]) -> None:
        """Call `call` when no call of the client is under way: at once, or when the last one ends."""
        calls = self._clients.get(connection)
        if calls is None:
            call()
        else:
            calls.waiters.append(call)

    async def wait_idle(self, connection: Connection) -> None:
        """Return when no call of the client is under way, or when those that are now must have ended by their deadline.

        A client that calls all the time is not waited for longer.
        """
        idle = asyncio.Event()
        self.when_idle(connection, idle.set)
        try:
            async with asyncio.timeout(self.offer.config.timeout_s):
                await idle.wait()
        except TimeoutError:
            pass

    async def stop(self, within_s: float) -> None:
        """Begin no more calls, and let those under way end within `within_s`; their replies are sent."""
        self._is_stopping = True
        if self._tasks and within_s > 0:
            await asyncio.wait(list(self._tasks), timeout=within_s)

    async def aclose(self) -> None:
        """Cancel the calls under way."""
        await self._tasks.aclose()

    def _excess(self, why: str) -> CommandError:
        self._stats.rpc_calls[EXCESS] += 1
        return command_error(TOO_MANY_REQUESTS, why)

    def _on_ended(self, connection: Connection, calls: _ClientCalls) -> None:
        self._stats.rpc_running = len(self._tasks)
        calls.count -= 1
        if calls.count == 0:
            del self._clients[connection]
            for waiter in calls.waiters:
                waiter()

    async def _run(self, connection: Connection, command_id: int, handler: RpcHandler, call: RpcCall) -> None:
        begun = monotonic()
        try:
            reply, outcome = await self._reply(command_id, handler, call)
        except RpcDisconnect as end:
            self._count(CLOSED, begun)
            connection.close(end.code, end.reason)
            return
        self._count(outcome, begun)
        while connection.is_usable and self._outbox.is_slow(connection):
            await self._outbox.wait_for_room(connection)
        connection.charge_answer(len(reply))
        connection.reply([reply])

    async def _reply(self, command_id: int, handler: RpcHandler, call: RpcCall) -> tuple[bytes, str]:
        """Return the reply to a call, and its outcome. Raise a checked `RpcDisconnect`."""
        try:
            result = await self._result(handler, call)
            return encode(Reply(id=command_id, rpc=RpcResult(raw_or_absent(result)))), OK
        except CommandError as error:
            self._stats.errors[error.code] += 1
            return encode_error(command_id, error), _outcome_of(error)

    def _count(self, outcome: str, begun: float) -> None:
        self._stats.rpc_calls[outcome] += 1
        self._stats.rpc_s += monotonic() - begun

    async def _result(self, handler: RpcHandler, call: RpcCall) -> bytes:
        """Return the result of a call. Raise the `CommandError` that the client gets, or a checked `RpcDisconnect`."""
        config = self.offer.config
        try:
            async with asyncio.timeout(config.timeout_s) as limit:
                result = await handler.answer_call(call)
        except RpcError as error:
            raise _checked_error(error, call) from None
        except RpcDisconnect as end:
            if end.code in CLOSE_CODES and len(str(end.reason).encode(errors="replace")) <= REASON_BYTES_MAX:
                raise RpcDisconnect(end.code, str(end.reason)) from None
            why = f"it closes with {end.code} {end.reason!r}; give 3000 to 4999 and a short reason"
            raise _failed(call, why) from None
        except (Exception, SystemExit) as error:
            if isinstance(error, TimeoutError) and limit.expired():
                _log.warning("a call was not answered in time", method=call.method, user=call.user, client=call.client)
                raise _Late(INTERNAL, f"{call.method} was not answered in {config.timeout_s:g} s") from None
            _log.exception("a call failed", method=call.method, user=call.user, client=call.client)
            raise _Failed(INTERNAL, "internal server error") from None
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise _failed(call, "it was cancelled by itself") from None
        if not isinstance(result, bytes) or b"\n" in result:
            raise _failed(call, f"its handler returned {type(result).__name__}, or several lines; it is one of JSON")
        if len(result) > config.result_bytes_max:
            _log.error("a result is too long", method=call.method, bytes=len(result), bytes_max=config.result_bytes_max)
            raise command_error(
                LIMIT_EXCEEDED, f"the result has {len(result)} bytes; at most {config.result_bytes_max} are sent"
            )
        return result


class _Failed(CommandError):
    """The handler has failed, which its log says."""


class _Late(CommandError):
    """The handler has not answered in time."""


def _outcome_of(error: CommandError) -> str:
    return LATE if isinstance(error, _Late) else FAILED if isinstance(error, _Failed) else REFUSED


def _checked_error(error: RpcError, call: RpcCall) -> CommandError:
    if error.code in OWN_CODES or error.code in CODES:
        message = str(error.message).encode(errors="replace").decode()
        return CommandError(error.code, message[:MESSAGE_LENGTH_MAX], temporary=bool(error.temporary))
    return _failed(call, f"it refuses with code {error.code}; give 400 to 1999, or one of PROTOCOL.md P-4.9")


def _failed(call: RpcCall, why: str) -> CommandError:
    _log.error("a call failed", method=call.method, user=call.user, client=call.client, why=why)
    return _Failed(INTERNAL, "internal server error")
