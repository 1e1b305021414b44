"""Settings that bound one client of a node: its messages, its requests, and its queues."""

from typing import Annotated

import msgspec

from ringway.node.config.port import ListenerConfig
from ringway.protocol.channel import NAME_BYTES_MAX


class ClientBounds(ListenerConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings that bound the cost of a single client for a node."""

    message_bytes_max: Annotated[
        int,
        msgspec.Meta(
            description="Longest frame and message of a client; a longer one is closed with 1009.",
            ge=1024,
            le=16 * 1024 * 1024,
            extra={"unit": "bytes"},
        ),
    ] = 64 * 1024
    fragments_max: Annotated[
        int,
        msgspec.Meta(
            description="Frames of one message; more are closed with 1009, because tiny fragments cost far more than "
            "their bytes.",
            ge=1,
            le=1_000_000,
        ),
    ] = 1024
    channel_bytes_max: Annotated[
        int,
        msgspec.Meta(
            description="Longest channel name, in UTF-8; engines bound their own names.",
            ge=1,
            le=NAME_BYTES_MAX,
            extra={"unit": "bytes"},
        ),
    ] = NAME_BYTES_MAX
    subscriptions_max: Annotated[
        int,
        msgspec.Meta(
            description="Channels that one connection may be subscribed to; then error 106.", ge=1, le=100_000
        ),
    ] = 128
    recovery_publications_max: Annotated[
        int,
        msgspec.Meta(
            description="Publications of a channel that a returning client gets, and that one `history` answers. A "
            "client that missed more is told that publications are missing.",
            ge=1,
            le=100_000,
        ),
    ] = 1000
    recovery_bytes_max: Annotated[
        int,
        msgspec.Meta(
            description="The same in bytes; at most half of `outbox_bytes_max`, because it goes through the outbox.",
            ge=1024,
            le=1024 * 1024 * 1024,
            extra={"unit": "bytes"},
        ),
    ] = 512 * 1024
    presence_clients_max: Annotated[
        int,
        msgspec.Meta(
            description="Clients that `presence` names; for more it answers error 106. `presence_stats` counts any "
            "number.",
            ge=1,
            le=100_000,
        ),
    ] = 2000
    outbox_bytes_max: Annotated[
        int,
        msgspec.Meta(
            description="Bytes that may wait for a client that reads too slowly; then it is closed with 3008. Other "
            "clients are unharmed.",
            ge=4096,
            le=1024 * 1024 * 1024,
            extra={"unit": "bytes"},
        ),
    ] = 1024 * 1024
    commands_per_s: Annotated[
        float,
        msgspec.Meta(
            description="Commands, and frames beyond one for each message, that one connection may send a second on "
            "average. Further ones are refused with error 111; a client that continues for `commands_burst` refusals "
            "is closed with 3013.",
            gt=0,
            le=1_000_000,
            extra={"unit": "1/s"},
        ),
    ] = 1000.0
    commands_burst: Annotated[
        int,
        msgspec.Meta(description="Commands that one connection may send at once.", ge=1, le=1_000_000),
    ] = 2000
    commands_pending_max: Annotated[
        int,
        msgspec.Meta(
            description="Commands of one connection that may wait for the engine; then it is closed with 3013.",
            ge=1,
            le=1_000_000,
        ),
    ] = 4000
    commands_pending_bytes_max: Annotated[
        int,
        msgspec.Meta(
            description="The same in bytes. Above it the node stops reading from the client until half of them are "
            "done.",
            ge=1024,
            le=1024 * 1024 * 1024,
            extra={"unit": "bytes"},
        ),
    ] = 64 * 1024
    bytes_per_s: Annotated[
        float,
        msgspec.Meta(
            description="Bytes of messages that one connection may send a second on average; above it the node reads "
            "more slowly. Messages up to 1 KiB are bounded only by commands_per_s.",
            gt=0,
            le=1e12,
            extra={"unit": "bytes/s"},
        ),
    ] = 1024.0 * 1024
    bytes_burst: Annotated[
        int,
        msgspec.Meta(
            description="Bytes of messages that one connection may send at once; at least message_bytes_max.",
            ge=1024,
            le=1024 * 1024 * 1024,
            extra={"unit": "bytes"},
        ),
    ] = 2 * 1024 * 1024
    answer_bytes_per_s: Annotated[
        float,
        msgspec.Meta(
            description="Bytes of history, missed publications and presence that one connection may request a second "
            "on average; above it the next request waits.",
            gt=0,
            le=1e12,
            extra={"unit": "bytes/s"},
        ),
    ] = 2 * 1024.0 * 1024
    answer_bytes_burst: Annotated[
        int,
        msgspec.Meta(
            description="The same at once: enough for a client that returns to all of its channels.",
            ge=1024,
            le=1024 * 1024 * 1024,
            extra={"unit": "bytes"},
        ),
    ] = 4 * 1024 * 1024
    new_channels_per_s: Annotated[
        float,
        msgspec.Meta(
            description="New channels that one connection may publish to a second, on average. A channel is new if it "
            "is not among the last 1024 that it has published to (or as many as it may subscribe to). More are refused "
            "with error 111.",
            gt=0,
            le=1_000_000,
            extra={"unit": "1/s"},
        ),
    ] = 50.0
    new_channels_burst: Annotated[
        int,
        msgspec.Meta(description="New channels that one connection may publish to at once.", ge=1, le=1_000_000),
    ] = 500

    @property
    def answer_bytes_max(self) -> int:
        """Return the largest size of the history in one answer; the outbox has room for other messages beside it."""
        return min(self.recovery_bytes_max, self.outbox_bytes_max // 2)
