"""Bounds of one client: what it may send, ask for, and let wait; each a setting of the node."""

from typing import Annotated

import msgspec

from ringway.node.config.port import ListenerConfig
from ringway.protocol.channel import NAME_BYTES_MAX


class ClientBounds(ListenerConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings that bound what a single client costs a node."""

    message_bytes_max: Annotated[
        int,
        msgspec.Meta(
            description="Longest frame and message of a client, else close 1009.",
            ge=1024,
            le=16 * 1024 * 1024,
            extra={"unit": "bytes"},
        ),
    ] = 64 * 1024
    fragments_max: Annotated[
        int,
        msgspec.Meta(
            description="Frames that one message may come in, else close 1009: tiny fragments cost far more than "
            "their bytes.",
            ge=1,
            le=1_000_000,
        ),
    ] = 1024
    channel_bytes_max: Annotated[
        int,
        msgspec.Meta(
            description="Longest channel name, in UTF-8; engines have names of their own to bound.",
            ge=1,
            le=NAME_BYTES_MAX,
            extra={"unit": "bytes"},
        ),
    ] = NAME_BYTES_MAX
    subscriptions_max: Annotated[
        int,
        msgspec.Meta(
            description="Channels that one connection may be subscribed to, else error 106.", ge=1, le=100_000
        ),
    ] = 128
    recovery_publications_max: Annotated[
        int,
        msgspec.Meta(
            description="Publications that one client is given of a channel when it comes back, and that one `history` "
            "answers; who missed more is told that something is missing.",
            ge=1,
            le=100_000,
        ),
    ] = 1000
    recovery_bytes_max: Annotated[
        int,
        msgspec.Meta(
            description="The same in bytes; never more than half of `outbox_bytes_max`, through which it must go.",
            ge=1024,
            le=1024 * 1024 * 1024,
            extra={"unit": "bytes"},
        ),
    ] = 512 * 1024
    presence_clients_max: Annotated[
        int,
        msgspec.Meta(
            description="Clients that `presence` names at most, else error 106; `presence_stats` counts any number.",
            ge=1,
            le=100_000,
        ),
    ] = 2000
    outbox_bytes_max: Annotated[
        int,
        msgspec.Meta(
            description="Bytes that may wait for a client that reads too slowly, else close 3008; others are unharmed.",
            ge=4096,
            le=1024 * 1024 * 1024,
            extra={"unit": "bytes"},
        ),
    ] = 1024 * 1024
    commands_per_s: Annotated[
        float,
        msgspec.Meta(
            description="Commands, and frames beyond one a message, that one connection may send on average; more are "
            "refused with error 111, and a client that goes on for `commands_burst` refusals is closed with 3013.",
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
            description="Commands of one connection that may wait for the engine; more close it with 3013.",
            ge=1,
            le=1_000_000,
        ),
    ] = 4000
    commands_pending_bytes_max: Annotated[
        int,
        msgspec.Meta(
            description="The same in bytes: above it nothing more is read from the client until half of them are "
            "carried out.",
            ge=1024,
            le=1024 * 1024 * 1024,
            extra={"unit": "bytes"},
        ),
    ] = 64 * 1024
    bytes_per_s: Annotated[
        float,
        msgspec.Meta(
            description="Bytes of messages that one connection may send on average; above it the node reads no faster. "
            "Messages up to 1 KiB are bounded by commands_per_s alone.",
            gt=0,
            le=1e12,
            extra={"unit": "bytes/s"},
        ),
    ] = 1024.0 * 1024
    bytes_burst: Annotated[
        int,
        msgspec.Meta(
            description="The same at once; never less than message_bytes_max.",
            ge=1024,
            le=1024 * 1024 * 1024,
            extra={"unit": "bytes"},
        ),
    ] = 2 * 1024 * 1024
    answer_bytes_per_s: Annotated[
        float,
        msgspec.Meta(
            description="Bytes of history, of what was missed and of presence that one connection may ask for on "
            "average; above it its next question waits.",
            gt=0,
            le=1e12,
            extra={"unit": "bytes/s"},
        ),
    ] = 2 * 1024.0 * 1024
    answer_bytes_burst: Annotated[
        int,
        msgspec.Meta(
            description="The same at once: what a client that comes back to all of its channels may need.",
            ge=1024,
            le=1024 * 1024 * 1024,
            extra={"unit": "bytes"},
        ),
    ] = 4 * 1024 * 1024
    new_channels_per_s: Annotated[
        float,
        msgspec.Meta(
            description="Channels that one connection may newly publish to on average: not among the last 1024 that it "
            "has published to (or as many as it may subscribe to). More are refused with error 111.",
            gt=0,
            le=1_000_000,
            extra={"unit": "1/s"},
        ),
    ] = 50.0
    new_channels_burst: Annotated[
        int,
        msgspec.Meta(description="The same at once.", ge=1, le=1_000_000),
    ] = 500

    @property
    def answer_bytes_max(self) -> int:
        """Return the bytes of history in one answer at most, with room in the outbox for what comes meanwhile."""
        return min(self.recovery_bytes_max, self.outbox_bytes_max // 2)
