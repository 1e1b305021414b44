"""Admission of clients, as far as the settings of a node and the claims of a token decide it, without a connection.

`connect` asks it for a client, and `node.commands.bearer` for an operator.
"""

from ringway.core.permission import personal_channel
from ringway.core.subscription_rights import SubscriptionRights, rights_problem, with_options
from ringway.errors import ProtocolError
from ringway.node.commands.permission import check_known_in
from ringway.node.config.namespace import Namespaces
from ringway.node.config.node import NodeConfig
from ringway.protocol.channel import check_channel
from ringway.protocol.claims import ClaimedSubscription, ConnectionClaims
from ringway.protocol.close import BAD_REQUEST, INVALID_TOKEN, PERMISSION_DENIED
from ringway.protocol.errorcode import LIMIT_EXCEEDED, command_error
from ringway.protocol.json_line import json_line
from ringway.types import Channel


def check_nameless(config: NodeConfig) -> None:
    """Raise `ProtocolError` 3501 unless clients without a token are accepted."""
    if not config.takes_anonymous:
        raise ProtocolError(BAD_REQUEST, "no token was sent, and this node takes no clients without one")


def check_has_user(config: NodeConfig, claims: ConnectionClaims) -> None:
    """Raise `ProtocolError` 3507 if the token has no user, and such tokens are not accepted."""
    if not claims.sub and config.disallow_anonymous_connection_tokens:
        raise ProtocolError(PERMISSION_DENIED, "the token has no user, and this node takes no anonymous clients")


def claimed_rights(
    config: NodeConfig, namespaces: Namespaces, claims: ConnectionClaims
) -> dict[Channel, SubscriptionRights]:
    """Return the subscriptions that a connection token asks for, and the user's personal channel.

    Raise `CommandError` 102 for a channel whose namespace does not exist, `ProtocolError` 3500 if a bound is exceeded.
    """
    names: dict[str, ClaimedSubscription] = {**dict.fromkeys(claims.channels, ClaimedSubscription()), **claims.subs}
    if config.subscribe_to_user_personal_channel and claims.sub:
        names.setdefault(personal_channel(config.personal_channel_namespace, claims.sub), ClaimedSubscription())
    found: dict[Channel, SubscriptionRights] = {}
    for name, each in names.items():
        channel = check_channel(name, config.channel_bytes_max)
        check_known_in(namespaces, channel)
        rights = SubscriptionRights(json_line(each.channel_info), is_server_side=True)
        rights = found[channel] = with_options(rights, each.override)
        if rights_problem(rights):
            raise ProtocolError(INVALID_TOKEN, rights_problem(rights))
    return found


def check_count(config: NodeConfig, count: int) -> None:
    """Raise `CommandError` 106 if the server would make more than `subscriptions_max` subscriptions."""
    if count > config.subscriptions_max:
        raise command_error(
            LIMIT_EXCEEDED, f"the server gave {count} channels, and a connection has {config.subscriptions_max} at most"
        )
