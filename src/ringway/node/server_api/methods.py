"""Methods of the server API: the table of what backends may call."""

from collections.abc import Sequence

from ringway.node.server_api.calls import ApiMethod
from ringway.node.server_api.node_queries import NodeQueries
from ringway.node.server_api.publishing import Publishing
from ringway.node.server_api.queries import ChannelQueries
from ringway.node.server_api.token_calls import TokenCalls
from ringway.node.server_api.user_calls import UserCalls
from ringway.protocol.command import Empty, HistoryRequest, PresenceRequest, PresenceStatsResult
from ringway.protocol.server_api import (
    ApiBroadcastRequest,
    ApiBroadcastResult,
    ApiConnectionsRequest,
    ApiDisconnectRequest,
    ApiHistoryRemoveRequest,
    ApiHistoryResult,
    ApiInvalidateUserTokensRequest,
    ApiPresenceResult,
    ApiPublishRequest,
    ApiPublishResult,
    ApiRefreshRequest,
    ApiRevokeTokenRequest,
    ApiSubscribeRequest,
    ApiUnsubscribeRequest,
    ChannelsRequest,
    ChannelsResult,
    ConnectionsResult,
    InfoRequest,
    InfoResult,
)


def list_methods(
    publishing: Publishing, queries: ChannelQueries, nodes: NodeQueries, users: UserCalls, tokens: TokenCalls
) -> Sequence[ApiMethod]:
    """Return the methods."""
    return (
        ApiMethod(
            "publish", "Publish to a channel", ApiPublishRequest, ApiPublishResult,
            publishing.publish, publishing.publish_each,
        ),
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
        ApiMethod(
            "history_remove", "Remove what a channel keeps", ApiHistoryRemoveRequest, Empty, queries.history_remove
        ),
        ApiMethod("info", "The nodes, and what they are doing", InfoRequest, InfoResult, nodes.info),
        ApiMethod("disconnect", "Close connections of a user", ApiDisconnectRequest, Empty, users.disconnect),
        ApiMethod("unsubscribe", "End subscriptions of a user", ApiUnsubscribeRequest, Empty, users.unsubscribe),
        ApiMethod("subscribe", "Subscribe a user to a channel", ApiSubscribeRequest, Empty, users.subscribe),
        ApiMethod(
            "connections", "The connections of a user", ApiConnectionsRequest, ConnectionsResult, users.connections
        ),
        ApiMethod("refresh", "Set the end of a user's connections", ApiRefreshRequest, Empty, users.refresh),
        ApiMethod("revoke_token", "Refuse a token from now on", ApiRevokeTokenRequest, Empty, tokens.revoke_token),
        ApiMethod(
            "invalidate_user_tokens", "Refuse a user's tokens that were issued before a time",
            ApiInvalidateUserTokensRequest, Empty, tokens.invalidate_user_tokens,
        ),
        ApiMethod("channels", "The channels with subscribers", ChannelsRequest, ChannelsResult, nodes.channels),
    )  # fmt: skip
