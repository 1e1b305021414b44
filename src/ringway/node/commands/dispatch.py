"""Dispatch of commands: one function for each kind of command (PROTOCOL.md P-4).

A function returns its outcome (`node.commands.outcome`). Refusals are raised as `CommandError` and become error replies
here.
"""

from collections.abc import Callable
from typing import Any

from ringway.errors import CommandError, ProtocolError
from ringway.node.commands.connect import connect
from ringway.node.commands.context import CommandContext
from ringway.node.commands.errors import error_reply
from ringway.node.commands.outcome import Outcome
from ringway.node.commands.publish import publish
from ringway.node.commands.query import history, presence, presence_stats
from ringway.node.commands.refresh import refresh, sub_refresh
from ringway.node.commands.rpc import rpc
from ringway.node.commands.subscribe import leave, subscribe
from ringway.node.connection.connection import Connection
from ringway.protocol.channel import check_channel
from ringway.protocol.close import BAD_REQUEST
from ringway.protocol.codec import EMPTY, encode, encode_error
from ringway.protocol.command import (
    COMMAND_ID_MAX,
    Command,
    Reply,
    Unreadable,
    UnsubscribeRequest,
)
from ringway.protocol.errorcode import BAD_REQUEST as UNREADABLE
from ringway.protocol.errorcode import TOO_MANY_REQUESTS, command_error


def execute(context: CommandContext, connection: Connection, command: Command) -> Outcome:
    """Carry out one command, or return its pending reply. Raise `ProtocolError` to end the connection."""
    method = command.method()
    if isinstance(command, Unreadable):
        return _refuse_unreadable(context, connection, command)
    if method is None:
        if command.id == 0:
            return None  # a pong among other lines
        raise ProtocolError(BAD_REQUEST, f"command {command.id} holds no request that is known, or several")
    context.stats.commands[method] += 1
    if (command.connect is None) != connection.is_connected:
        rule = "the second connect command" if connection.is_connected else f"{method} before the connect command"
        raise ProtocolError(BAD_REQUEST, f"{rule}; connect comes first, and once")
    if command.send is not None:
        return None  # the node ignores messages outside channels, and the command has no reply
    if not 0 < command.id <= COMMAND_ID_MAX:
        raise ProtocolError(BAD_REQUEST, f"the id of a command is {command.id}; ids are 1 to {COMMAND_ID_MAX}")
    try:
        return _HANDLERS[method](context, connection, command.id, getattr(command, method))
    except CommandError as error:
        return error_reply(context, command.id, error)


def asks_for_much(command: Command) -> bool:
    """True if the answer may be long, or slow to make: the client pays for it, and it is made when there is room."""
    if command.subscribe is not None:
        return command.subscribe.recover
    return command.history is not None or command.presence is not None or command.presence_stats is not None


def rate_error_replies(context: CommandContext, commands: list[Command]) -> list[bytes]:
    """Return the replies to `commands` over the rate: all with the same error, so that a flood costs little."""
    if not commands:
        return []
    detail = f"{context.config.commands_per_s:g} commands a second are allowed"
    if context.shares.has_rates:
        detail += ", or fewer for all connections of a user or an address (user_commands_per_s, address_commands_per_s)"
    error = command_error(TOO_MANY_REQUESTS, detail)
    tail = encode_error(1, error).removeprefix(b'{"id":1')
    replies = [b'{"id":%d%b' % (command.id, tail) for command in commands if command.id > 0]
    context.stats.errors[TOO_MANY_REQUESTS] += len(replies)
    return replies


def _refuse_unreadable(context: CommandContext, connection: Connection, command: Unreadable) -> bytes:
    """Refuse an unreadable command: only this command, if the client is connected and the command's id is known."""
    if not connection.is_connected or command.id == 0:
        raise ProtocolError(BAD_REQUEST, command.why)
    return error_reply(context, command.id, command_error(UNREADABLE, command.why))


def _unsubscribe(
    context: CommandContext, connection: Connection, command_id: int, request: UnsubscribeRequest
) -> bytes:
    channel = check_channel(request.channel, context.config.channel_bytes_max)
    if channel in connection.channels:
        leave(context, connection, channel)
        connection.set_rights(channel, None)
    return encode(Reply(id=command_id, unsubscribe=EMPTY))


def _ping(context: CommandContext, connection: Connection, command_id: int, request: object) -> bytes:
    return encode(Reply(id=command_id, ping=EMPTY))


_HANDLERS: dict[str, Callable[[CommandContext, Connection, int, Any], Outcome]] = {
    "connect": connect,
    "subscribe": subscribe,
    "unsubscribe": _unsubscribe,
    "publish": publish,
    "history": history,
    "presence": presence,
    "presence_stats": presence_stats,
    "ping": _ping,
    "refresh": refresh,
    "sub_refresh": sub_refresh,
    "rpc": rpc,
}
