"""What each command does: one function a command (PROTOCOL.md P-4).

A function returns its reply, encoded; a coroutine that returns it where the engine must be awaited; or None where the
command has no reply. Refusals are raised as `CommandError` and become error replies here.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from ringway.errors import CommandError, EngineAway, EngineError, ProtocolError, Unconfirmed
from ringway.protocol.channel import check_channel
from ringway.protocol.close import BAD_REQUEST, INVALID_TOKEN
from ringway.protocol.codec import EMPTY, encode, encode_error
from ringway.protocol.command import (
    ClientInfo,
    Command,
    ConnectRequest,
    ConnectResult,
    Publication,
    PublishRequest,
    Reply,
    SubscribeRequest,
    SubscribeResult,
    UnsubscribeRequest,
)
from ringway.protocol.errorcode import (
    ALREADY_SUBSCRIBED,
    INTERNAL,
    LIMIT_EXCEEDED,
    NOT_AVAILABLE,
    TOO_MANY_REQUESTS,
    command_error,
)
from ringway.protocol.errorcode import BAD_REQUEST as BAD_REQUEST_ERROR
from ringway.types import Channel

if TYPE_CHECKING:
    from ringway.node.connection import Connection
    from ringway.node.shared import Shared

Answer = bytes | Coroutine[Any, Any, bytes] | None


def execute(shared: "Shared", connection: "Connection", command: Command) -> Answer:
    """Carry out one command. Raise `ProtocolError` for one that must end the connection."""
    method = command.method()
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
    if not 0 < command.id <= _ID_MAX:
        raise ProtocolError(BAD_REQUEST, f"the id of a command is {command.id}; ids are 1 to {_ID_MAX}")
    handler = _HANDLERS.get(method, _not_available)
    try:
        return handler(shared, connection, command.id, getattr(command, method))
    except CommandError as error:
        return refuse(shared, command.id, error)


def waits(shared: "Shared", command: Command) -> bool:
    """Whether `execute` would have to await the engine."""
    if command.publish is not None:
        return True
    return command.subscribe is not None and not shared.interest.holds(Channel(command.subscribe.channel))


def refuse(shared: "Shared", command_id: int, error: CommandError) -> bytes:
    """Return the reply that refuses a command."""
    shared.stats.errors[error.code] += 1
    return encode_error(command_id, error)


def refuse_rate(shared: "Shared", command: Command) -> bytes | None:
    """Return the reply to a command that came over the rate."""
    if command.id <= 0:
        return None
    limit = shared.config.commands_per_s
    return refuse(shared, command.id, command_error(TOO_MANY_REQUESTS, f"{limit:g} commands a second are allowed"))


_ID_MAX = 2**32 - 1  # uint32 in the protocol's definition


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


def _subscribe(shared: "Shared", connection: "Connection", command_id: int, request: SubscribeRequest) -> Answer:
    channel = check_channel(request.channel, shared.config.channel_bytes_max)
    if request.token:
        raise command_error(NOT_AVAILABLE, "a subscription token was sent, and this node checks none")
    if channel in connection.channels:
        raise command_error(ALREADY_SUBSCRIBED, f"to {channel}")
    if len(connection.channels) >= shared.config.subscriptions_max:
        raise command_error(LIMIT_EXCEEDED, f"{shared.config.subscriptions_max} subscriptions a connection")
    if shared.interest.claim(channel):
        return _join(shared, connection, command_id, channel)
    return _subscribe_later(shared, connection, command_id, channel)


async def _subscribe_later(shared: "Shared", connection: "Connection", command_id: int, channel: Channel) -> bytes:
    try:
        async with asyncio.timeout(shared.config.engine_deadline_s):
            await shared.interest.obtain(channel)
    except (EngineError, TimeoutError) as error:
        return refuse(shared, command_id, _engine_failed(error))
    if not connection.is_connected:
        if channel not in shared.hub:
            shared.interest.release(channel)
        return b""
    return _join(shared, connection, command_id, channel)


def _join(shared: "Shared", connection: "Connection", command_id: int, channel: Channel) -> bytes:
    shared.hub.add(channel, connection, connection.send)
    connection.channels.append(channel)
    return encode(Reply(id=command_id, subscribe=SubscribeResult()))


def _unsubscribe(shared: "Shared", connection: "Connection", command_id: int, request: UnsubscribeRequest) -> bytes:
    channel = check_channel(request.channel, shared.config.channel_bytes_max)
    if channel in connection.channels:
        connection.channels.remove(channel)
        if shared.hub.remove(channel, connection):
            shared.interest.release(channel)
    return encode(Reply(id=command_id, unsubscribe=EMPTY))


async def _publish(shared: "Shared", connection: "Connection", command_id: int, request: PublishRequest) -> bytes:
    try:
        channel = check_channel(request.channel, shared.config.channel_bytes_max)
        if not bytes(request.data):
            raise command_error(BAD_REQUEST_ERROR, "data is missing; it may be any JSON")
        payload = encode(Publication(data=request.data, info=ClientInfo(user="", client=connection.client)))
        async with asyncio.timeout(shared.config.engine_deadline_s):
            await shared.engine.broker.publish(channel, payload)
    except CommandError as error:
        return refuse(shared, command_id, error)
    except (Unconfirmed, TimeoutError):  # asking the client to try again could double the publication
        return refuse(shared, command_id, CommandError(INTERNAL, "the engine did not confirm; it may be published"))
    except EngineError as error:
        return refuse(shared, command_id, _engine_failed(error))
    shared.stats.published += 1
    return encode(Reply(id=command_id, publish=EMPTY))


def _ping(shared: "Shared", connection: "Connection", command_id: int, request: object) -> bytes:
    return encode(Reply(id=command_id, ping=EMPTY))


def _not_available(shared: "Shared", connection: "Connection", command_id: int, request: object) -> bytes:
    raise command_error(NOT_AVAILABLE, "this node does not offer that")


def _engine_failed(error: EngineError | TimeoutError) -> CommandError:
    if isinstance(error, TimeoutError):
        return command_error(INTERNAL, "the engine did not answer in time")
    if isinstance(error, EngineAway):
        return command_error(INTERNAL, "the engine is away")
    return command_error(LIMIT_EXCEEDED, str(error))


_HANDLERS: dict[str, Callable[["Shared", "Connection", int, Any], Answer]] = {
    "connect": _connect,
    "subscribe": _subscribe,
    "unsubscribe": _unsubscribe,
    "publish": _publish,
    "ping": _ping,
}
