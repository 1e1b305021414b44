"""Subscribing, with the recovery of what was missed; and what it is to be in a channel (PROTOCOL.md P-4.5, P-4.13).

The reply and the place in the hub belong to one loop turn: it says up to where the client has everything, and
everything after that is delivered to it.
"""

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

import msgspec

from ringway.core.replay_buffer import ReplayEntry
from ringway.errors import EngineError
from ringway.node.commands.errors import engine_failed, refuse
from ringway.protocol.channel import check_channel
from ringway.protocol.codec import encode
from ringway.protocol.command import REJECT_UNRECOVERED, Reply, SubscribeRequest, SubscribeResult
from ringway.protocol.errorcode import (
    ALREADY_SUBSCRIBED,
    LIMIT_EXCEEDED,
    NOT_AVAILABLE,
    UNRECOVERABLE_POSITION,
    command_error,
)
from ringway.types import Channel

if TYPE_CHECKING:
    from ringway.node.connection.connection import Connection
    from ringway.node.shared import Shared

_NOTHING = (b"", b"null")
"""What stands in JSON where there is no value."""

NOT_DONE = b""
"""The answer to a subscribe whose connection has begun to close meanwhile: it had no effect."""


def enter(
    shared: "Shared", connection: "Connection", channel: Channel, *, watching: bool = False, silently: bool = False
) -> None:
    """Let `connection` receive what is delivered in `channel` from now on; with joins and leaves if `watching`.

    The channel is claimed at the engine (`Streams.obtain`). `silently`: a session that goes on here is no newcomer.
    """
    shared.streams.settle(channel)
    shared.hub.add(channel, connection, connection.send)
    if watching:
        shared.watchers.add(channel, connection, connection.send)
    connection.channels.append(channel)
    if not silently:
        shared.presence.arrive(channel, connection.info)


def leave(shared: "Shared", connection: "Connection", channel: Channel, *, silently: bool = False) -> None:
    """Let `connection`, which is in `channel`, receive nothing of it from now on."""
    connection.channels.remove(channel)
    shared.watchers.remove(channel, connection)
    if shared.hub.remove(channel, connection):
        shared.streams.release(channel)
    if not silently:
        shared.presence.depart(channel, connection.info)


def subscribe_waits(shared: "Shared", request: SubscribeRequest) -> bool:
    """Whether `subscribe` would have to await the engine."""
    channel = Channel(request.channel)
    if request.recover and shared.namespaces.of(channel).recoverable:
        return not shared.streams.ready_now(channel, request.epoch, request.offset)
    return not shared.streams.interest.holds(channel)


def subscribe(
    shared: "Shared", connection: "Connection", command_id: int, request: SubscribeRequest
) -> bytes | Coroutine[Any, Any, bytes]:
    """Carry out one subscribe command."""
    channel = check_channel(request.channel, shared.config.channel_bytes_max)
    _check_served(request)
    if channel in connection.channels:
        raise command_error(ALREADY_SUBSCRIBED, f"to {channel}")
    if len(connection.channels) >= shared.config.subscriptions_max:
        raise command_error(LIMIT_EXCEEDED, f"{shared.config.subscriptions_max} subscriptions a connection")
    if not subscribe_waits(shared, request) and shared.streams.interest.claim(channel):
        return _join(shared, connection, command_id, channel, request, [])
    return _subscribe_later(shared, connection, command_id, channel, request)


def _check_served(request: SubscribeRequest) -> None:
    """Refuse what would change which publications come, if it is not served: silence would be a promise."""
    if request.token:
        raise command_error(NOT_AVAILABLE, "a subscription token was sent, and this node checks none")
    if bytes(request.type) not in (*_NOTHING, b"0"):
        kind = bytes(request.type)[:20].decode(errors="replace")
        raise command_error(NOT_AVAILABLE, f"a subscription of the type {kind}; streams (0) are served")
    if bytes(request.tf) not in _NOTHING:
        raise command_error(NOT_AVAILABLE, "a filter by tags (tf) is not served; subscribe without, and filter there")


async def prepare(shared: "Shared", connection: "Connection", requests: list[SubscribeRequest]) -> None:
    """Make ready at one time what `subscribe` would await one after the other: for a client of many channels.

    Errors are left to `subscribe`, which meets them again. Of all clients together `worker.PREPARING_MAX` are under
    way at most, and those of a client that is gone by its turn are left out: whoever comes and goes again and again
    would leave ever more behind.
    """
    await asyncio.gather(*(_prepare_one(shared, connection, request) for request in requests), return_exceptions=True)


async def _prepare_one(shared: "Shared", connection: "Connection", request: SubscribeRequest) -> None:
    channel = check_channel(request.channel, shared.config.channel_bytes_max)
    async with asyncio.timeout(shared.config.engine_deadline_s), shared.workers.preparing:
        if not connection.is_usable:
            return
        await shared.streams.obtain(channel)
        try:
            if request.recover and shared.namespaces.of(channel).recoverable:
                await _recover(shared, connection, channel, request)
        finally:
            shared.streams.release(channel)


async def _recover(
    shared: "Shared", connection: "Connection", channel: Channel, request: SubscribeRequest
) -> list[ReplayEntry] | None:
    """Return what the client missed, or None; it pays for what was read in vain as for an answer."""

    def pay(size: int) -> None:
        connection.allowance.answer(shared.clock(), size)

    return await shared.streams.recover(channel, request.epoch, request.offset, pay)


async def _subscribe_later(
    shared: "Shared", connection: "Connection", command_id: int, channel: Channel, request: SubscribeRequest
) -> bytes:
    streams = shared.streams
    missed: list[ReplayEntry] | None = None
    obtained = joined = False
    try:
        async with asyncio.timeout(shared.config.engine_deadline_s):
            await streams.obtain(channel)
            obtained = True
            if request.recover and shared.namespaces.of(channel).recoverable:
                missed = await _recover(shared, connection, channel, request)
        if not connection.is_connected:
            return NOT_DONE
        joined = missed is not None or not request.recover or not request.flag & REJECT_UNRECOVERED
        if joined:
            return _join(shared, connection, command_id, channel, request, missed)
        shared.stats.recoveries["incomplete"] += 1
        return refuse(shared, command_id, command_error(UNRECOVERABLE_POSITION, f"of {channel}"))
    except (EngineError, TimeoutError) as error:
        return refuse(shared, command_id, engine_failed(error))
    finally:
        if obtained and not joined:
            streams.release(channel)


def _join(
    shared: "Shared",
    connection: "Connection",
    command_id: int,
    channel: Channel,
    request: SubscribeRequest,
    missed: list[ReplayEntry] | None,
) -> bytes:
    space = shared.namespaces.of(channel)
    enter(shared, connection, channel, watching=request.join_leave and space.join_leave)
    result = SubscribeResult(recoverable=space.recoverable, positioned=space.positioned)
    if space.positioned:
        stream = shared.streams.settle(channel)
        result.epoch, result.offset = stream.epoch, stream.position
    if request.recover:
        result.was_recovering = True
        result.recovered = space.recoverable and missed is not None
        shared.stats.recoveries["complete" if result.recovered else "incomplete"] += 1
        if result.recovered and missed:
            result.offset = request.offset  # publications lead on from there, one after the other
            result.publications = [msgspec.Raw(entry.body) for entry in missed]
    reply = encode(Reply(id=command_id, subscribe=result))
    if request.recover:
        connection.allowance.answer(shared.clock(), len(reply))
    return reply
