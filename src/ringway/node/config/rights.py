"""Settings of a node that say which clients may come, and how their rights are checked. Names are Centrifugo's."""

from typing import Annotated

import msgspec

from ringway.node.config.hooks import NodeHooksConfig


class NodeRightsConfig(NodeHooksConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of clients' rights; a part of `NodeConfig`."""

    insecure: Annotated[
        bool,
        msgspec.Meta(
            description="Every client is accepted, and may do everything in every channel; for development, or where "
            "something else keeps strangers out. `ringway up` sets it for its nodes if only this machine reaches them. "
            "All nodes must have the same."
        ),
    ] = False
    allow_anonymous_connect_without_token: Annotated[
        bool,
        msgspec.Meta(
            description="Clients without a token are accepted, as anonymous clients. What these may do is said by the "
            "options of namespaces that end with `_for_anonymous`."
        ),
    ] = False

    disallow_anonymous_connection_tokens: Annotated[
        bool, msgspec.Meta(description="Tokens without a user (`sub`) are refused with close 3507.")
    ] = False
    expired_close_delay_s: Annotated[
        float,
        msgspec.Meta(
            description="After the end of its token a client has this long to send a new one; then close 3005.",
            ge=0,
            le=3600,
            extra={"unit": "s"},
        ),
    ] = 25.0
    expired_sub_close_delay_s: Annotated[
        float,
        msgspec.Meta(
            description="The same for the token of a subscription; then the subscription ends, with 2501.",
            ge=0,
            le=3600,
            extra={"unit": "s"},
        ),
    ] = 25.0
    user_connections_max: Annotated[
        int,
        msgspec.Meta(
            description="Connections of one user at this node; further ones are closed with 3504. 0: any number.",
            ge=0,
            le=1_000_000,
        ),
    ] = 0
    subscribe_to_user_personal_channel: Annotated[
        bool,
        msgspec.Meta(
            description="The node subscribes each client with a user to the channel #USER, or NAMESPACE:#USER with "
            "`personal_channel_namespace`."
        ),
    ] = False
    personal_channel_namespace: Annotated[
        str, msgspec.Meta(description="Namespace of users' personal channels; it must exist. Empty: `default`.")
    ] = ""
    personal_channel_single_connection: Annotated[
        bool,
        msgspec.Meta(
            description="With personal channels: a user has one connection in the cluster; an earlier one is "
            "closed with 3503 when the user connects anew."
        ),
    ] = False

    @property
    def takes_anonymous(self) -> bool:
        """True if clients without a token are accepted."""
        return self.insecure or self.allow_anonymous_connect_without_token
