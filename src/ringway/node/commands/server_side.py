"""Subscriptions that the server makes for a client: by its token, or by a call of a backend (PROTOCOL.md P-4.21).

They are made together: the engine is asked for all channels, then missed publications are found, and at last all
channels are joined in one turn of the loop. A channel whose publications came meanwhile is asked again, which costs
nothing: its replay buffer has them.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager

from ringway.core.replay_buffer import ReplayEntry
from ringway.core.subscription_rights import SubscriptionRights
from ringway.node.channels.replay import ReplayLease
from ringway.node.commands.context import CommandContext
from ringway.node.commands.subscribe import join_channel
from ringway.node.connection.connection import Connection
from ringway.protocol.command import SubscribeRequest, SubscribeResult
from ringway.types import Channel

ROUNDS_MAX = 8
"""The most passes over the channels, each of which finds later publications; then the rest counts as not recovered."""

Missed = dict[Channel, list[ReplayEntry] | None]
"""The missed publications of each channel whose client asks for them; None: completeness cannot be proved."""


@asynccontextmanager
async def obtain_server_side(
    context: CommandContext,
    connection: Connection,
    channels: Iterable[Channel],
    asked: Mapping[Channel, SubscribeRequest],
) -> AsyncIterator[Missed]:
    """Yield when all `channels` reach this node, with what the client missed in those that it `asked` to recover.

    Join the channels before the next await; those that are not joined are released at the end. Raise `EngineError` or
    `TimeoutError` if the engine does not answer.
    """
    streams = context.channels.streams
    obtained: list[Channel] = []
    waiting: list[Channel] = []

    async def obtain(channel: Channel) -> None:
        await streams.obtain(channel)
        obtained.append(channel)

    try:
        for channel in channels:  # most reach this node already: a task for each would cost a tenth of a connect
            (obtained if streams.interest.claim(channel) else waiting).append(channel)
        async with asyncio.timeout(context.config.engine_deadline_s):
            found = await asyncio.gather(*map(obtain, waiting), return_exceptions=True)
            for error in found:
                if isinstance(error, BaseException):
                    raise error
            missed = await _recover_all(context, connection, asked)
        yield missed
    finally:
        for channel in obtained:
            streams.release(channel)


def join_server_side(
    context: CommandContext,
    connection: Connection,
    channels: Mapping[Channel, SubscriptionRights],
    asked: Mapping[Channel, SubscribeRequest],
    missed: Missed,
) -> dict[Channel, SubscribeResult]:
    """Join all `channels`, with their rights; return their results, which must be sent before the next await."""
    usual = SubscribeRequest()
    return {
        channel: join_channel(context, connection, channel, asked.get(channel, usual), missed.get(channel), rights)
        for channel, rights in channels.items()
    }


async def _recover_all(
    context: CommandContext, connection: Connection, asked: Mapping[Channel, SubscribeRequest]
) -> Missed:
    """Return what was missed up to now, in all channels at one moment."""
    streams = context.channels.streams
    recovering = {
        channel: request
        for channel, request in asked.items()
        if request.recover and context.channels.namespaces.of(channel).recoverable
    }
    leases: list[ReplayLease] = []
    missed: Missed = {}
    try:
        leases += [streams.lease(channel) for channel in recovering]
        for _ in range(ROUNDS_MAX):
            positions: dict[Channel, int] = {}
            for channel, request in recovering.items():
                missed[channel] = await streams.recover(
                    channel, request.epoch, request.offset, connection.charge_answer
                )
                positions[channel] = streams.flush(channel).position
            if all(streams.flush(channel).position == position for channel, position in positions.items()):
                return _within(context.config.answer_bytes_max, missed)
        return dict.fromkeys(recovering)
    finally:
        for lease in leases:
            lease.release()


def _within(bytes_max: int, missed: Missed) -> Missed:
    """Return `missed` without what would not fit into the outbox; it counts as not recovered."""
    left = bytes_max
    for channel, entries in missed.items():
        left -= sum(len(entry.body) for entry in entries or ())
        if left < 0:
            missed[channel] = None
    return missed
