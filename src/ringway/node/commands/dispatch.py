"""What each command does: one function a command (PROTOCOL.md P-4).

A function returns its reply, encoded; a coroutine that returns it where the engine must be awaited; or None where the
command has no reply. Refusals are raised as `CommandError` and become error replies here.
"""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from ringway.errors import CommandError, ProtocolError
from ringway.node.commands.errors import refuse
from ringway.node.commands.publish import publish
from ringway.node.commands.query import history, presence, presence_stats
from ringway.node.commands.subscribe import leave, subscribe, subscribe_waits
from ringway.protocol.channel import check_channel
from ringway.protocol.close import BAD_REQUEST, INVALID_TOKEN
from ringway.protocol.codec import EMPTY, encode, encode_error
from ringway.protocol.command import (
    COMMAND_ID_MAX,
    Command,
    ConnectRequest,
    ConnectResult,
    Reply,
    Unreadable,
    UnsubscribeRequest,
)
from ringway.protocol.errorcode import BAD_REQUEST as UNREADABLE
from ringway.protocol.errorcode import NOT_AVAILABLE, TOO_MANY_REQUESTS, command_error

if TYPE_CHECKING:
    from ringway.node.connection.connection import Connection
    from ringway.node.shared import Shared

Answer = bytes | Coroutine[Any, Any, bytes] | None


def execute(shared: "Shared", connection: "Connection", command: Command) -> Answer:
    """Carry out one command. Raise `ProtocolError` for one that must end the connection."""
    method = command.method()
    if isinstance(command, Unreadable):
        return _refuse_unreadable(shared, connection, command)
    if method is None:
        if command.id == 0:
            return None  # a pong among other lines
        raise ProtocolError(BAD_REQUEST, f"command {command.id} holds no request that is known, or several")
    shared.stats.commands[method] += 1
    if (command.connect is None) != connection.is_connected:
        rule = "the second connect command" if connection.is_connected else f"{method} before the connect command"
        raise ProtocolError(BAD_REQUEST, f"{rule}; connect comes first, and once")
    if command.send is not None:
        return None  # nobody here listens to messages outside channels, and there is no reply to say so in
    if not 0 < command.id <= COMMAND_ID_MAX:
        raise ProtocolError(BAD_REQUEST, f"the id of a command is {command.id}; ids are 1 to {COMMAND_ID_MAX}")
    handler = _HANDLERS.get(method, _not_available)
    try:
        return handler(shared, connection, command.id, getattr(command, method))
    except CommandError as error:
        return refuse(shared, command.id, error)


def waits(shared: "Shared", command: Command) -> bool:
    """Whether `execute` would have to await the engine."""
    if command.subscribe is not None:
        return subscribe_waits(shared, command.subscribe)
    return any(getattr(command, method) is not None for method in _ENGINE)


def asks_for_much(command: Command) -> bool:
    """Whether the answer to `command` may be long, or long to make: it is paid for, and made when there is room."""
    if command.subscribe is not None:
        return command.subscribe.recover
    return command.history is not None or command.presence is not None or command.presence_stats is not None


def refuse_rate(shared: "Shared", commands: list[Command]) -> list[bytes]:
    """Return the replies to `commands`, which came over the rate: all alike, so that a flood of them costs little."""
    limit = shared.config.commands_per_s
    error = command_error(TOO_MANY_REQUESTS, f"{limit:g} commands a second are allowed")
    tail = encode_error(1, error).removeprefix(b'{"id":1')
    replies = [b'{"id":%d%b' % (command.id, tail) for command in commands if command.id > 0]
    shared.stats.errors[TOO_MANY_REQUESTS] += len(replies)
    return replies


def _refuse_unreadable(shared: "Shared", connection: "Connection", command: Unreadable) -> bytes:
    """Refuse a command that cannot be read: alone, if the connection is there and the command's id is known."""
    if not connection.is_connected or command.id == 0:
        raise ProtocolError(BAD_REQUEST, command.why)
    return refuse(shared, command.id, command_error(UNREADABLE, command.why))


def _connect(shared: "Shared", connection: "Connection", command_id: int, request: ConnectRequest) -> bytes:
    if request.token:
        raise ProtocolError(INVALID_TOKEN, "a token was sent, and this node checks none; connect without")
    client = shared.rng.randbytes(16).hex()
    connection.welcome(client)
    result = ConnectResult(
        client=client,
        version=shared.version,
        ping=shared.config.ping_interval_s,
        pong=True,
        session=client,
        node=shared.name,
    )
    return encode(Reply(id=command_id, connect=result))


def _unsubscribe(shared: "Shared", connection: "Connection", command_id: int, request: UnsubscribeRequest) -> bytes:
    channel = check_channel(request.channel, shared.config.channel_bytes_max)
    if channel in connection.channels:
        leave(shared, connection, channel)
    return encode(Reply(id=command_id, unsubscribe=EMPTY))


def _ping(shared: "Shared", connection: "Connection", command_id: int, request: object) -> bytes:
    return encode(Reply(id=command_id, ping=EMPTY))


def _not_available(shared: "Shared", connection: "Connection", command_id: int, request: object) -> bytes:
    raise command_error(NOT_AVAILABLE, "this node does not offer that")


_ENGINE = ("publish", "history", "presence", "presence_stats")
"""The methods that always ask the engine."""

_HANDLERS: dict[str, Callable[["Shared", "Connection", int, Any], Answer]] = {
    "connect": _connect,
    "subscribe": subscribe,
    "unsubscribe": _unsubscribe,
    "publish": publish,
    "history": history,
    "presence": presence,
    "presence_stats": presence_stats,
    "ping": _ping,
}
