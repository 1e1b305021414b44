"""Calls of backends about a channel: its history, which they may remove, and its subscribers on all nodes."""

import asyncio

import msgspec

from ringway.node.commands.channel_reading import check_epoch, check_has_history, check_has_presence, read_page
from ringway.node.commands.context import CommandContext
from ringway.node.server_api.channel_check import check_named
from ringway.protocol.command import Empty, HistoryRequest, PresenceRequest, PresenceResult, PresenceStatsResult
from ringway.protocol.envelope import body_of, is_sound
from ringway.protocol.server_api import ApiHistoryRemoveRequest, ApiHistoryResult
from ringway.types import Channel


class ChannelQueries:
    """Answers calls about channels. All methods raise `CommandError`, `EngineError` or `TimeoutError`."""

    def __init__(self, context: CommandContext) -> None:
        self._context = context

    async def presence(self, request: PresenceRequest) -> PresenceResult:
        """Return the subscribed clients."""
        return await self._context.channels.presence.clients(self._channel_with_presence(request))

    async def presence_stats(self, request: PresenceRequest) -> PresenceStatsResult:
        """Return the number of subscribed clients."""
        return await self._context.channels.presence.stats(self._channel_with_presence(request))

    async def history(self, request: HistoryRequest) -> ApiHistoryResult:
        """Return publications, in a bounded number and size; for a limit of 0 only the position."""
        channel = check_named(self._context, request.channel)
        async with self._context.channels.streams.reader.answering:
            page = await read_page(self._context, channel, request)
            check_epoch(request, page)
            found = reversed(page.publications) if request.reverse else page.publications
            publications = [msgspec.Raw(body_of(payload, offset)) for offset, payload in found if is_sound(payload)]
            return ApiHistoryResult(publications, page.offset, page.epoch)

    async def history_remove(self, request: ApiHistoryRemoveRequest) -> Empty:
        """Remove the publications that a channel keeps."""
        channel = check_named(self._context, request.channel)
        retention = check_has_history(self._context, channel)
        async with asyncio.timeout(self._context.config.engine_deadline_s):
            await self._context.channels.remove_history(channel, retention)
        return Empty()

    def _channel_with_presence(self, request: PresenceRequest) -> Channel:
        channel = check_named(self._context, request.channel)
        check_has_presence(self._context, channel)
        return channel
