"""Methods of the server API: the table of what backends may call."""

from collections.abc import Sequence

from ringway.node.server_api.calls import ApiMethod
from ringway.node.server_api.node_queries import NodeQueries
from ringway.node.server_api.publishing import Publishing
from ringway.node.server_api.queries import ChannelQueries
from ringway.protocol.command import HistoryRequest, PresenceRequest, PresenceStatsResult
from ringway.protocol.server_api import (
    ApiBroadcastRequest,
    ApiBroadcastResult,
    ApiHistoryResult,
    ApiPresenceResult,
    ApiPublishRequest,
    ApiPublishResult,
    ChannelsRequest,
    ChannelsResult,
    InfoRequest,
    InfoResult,
)


def list_methods(publishing: Publishing, queries: ChannelQueries, nodes: NodeQueries) -> Sequence[ApiMethod]:
    """Return the methods."""
    return (
        ApiMethod("publish", "Publish to a channel", ApiPublishRequest, ApiPublishResult, publishing.publish),
        ApiMethod(
            "broadcast", "Publish the same to several channels", ApiBroadcastRequest, ApiBroadcastResult,
            publishing.broadcast,
        ),
        ApiMethod("presence", "The clients that are subscribed", PresenceRequest, ApiPresenceResult, queries.presence),
        ApiMethod(
            "presence_stats", "The numbers of subscribed clients and users", PresenceRequest, PresenceStatsResult,
            queries.presence_stats,
        ),
        ApiMethod("history", "Publications that a channel keeps", HistoryRequest, ApiHistoryResult, queries.history),
        ApiMethod("info", "The nodes, and what they are doing", InfoRequest, InfoResult, nodes.info),
        ApiMethod("channels", "The channels with subscribers", ChannelsRequest, ChannelsResult, nodes.channels),
    )  # fmt: skip
