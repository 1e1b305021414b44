"""The bounds and timings of a client, with the reason of each."""

from typing import Annotated

import msgspec

from ringway.errors import ConfigError

MOVE_TIMEOUT_S = 8.0
HELD_BYTES_MAX = 1 << 20
MOVES_BURST = 8

Seconds = Annotated[float, msgspec.Meta(gt=0, le=3600)]


class ClientConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of a `Client`; the defaults suit most programs."""

    open_timeout_s: Annotated[
        Seconds, msgspec.Meta(description="how long opening a client tries before it raises the last error")
    ] = 15.0
    attempt_timeout_s: Annotated[
        Seconds,
        msgspec.Meta(description="one request to a gateway, one handshake with a node, or its answer to connect"),
    ] = 10.0
    command_timeout_s: Annotated[
        Seconds,
        msgspec.Meta(description="a publish with its retries, or the answer to a subscribe, at most"),
    ] = 10.0
    close_timeout_s: Annotated[
        Seconds, msgspec.Meta(description="how long the server may take to answer a close frame; then it is cut off")
    ] = 2.0
    ping_tolerance_s: Annotated[
        Seconds,
        msgspec.Meta(description="silence after the ping interval that counts as death; the SDKs do the same"),
    ] = 10.0
    backoff_base_s: Annotated[
        Seconds, msgspec.Meta(description="the first pause before a reconnect is drawn from 0 to this")
    ] = 0.5
    backoff_cap_s: Annotated[Seconds, msgspec.Meta(description="the longest pause before a reconnect")] = 20.0
    stable_s: Annotated[
        Seconds,
        msgspec.Meta(description="a connection that ended sooner counts as a failed attempt, so that pauses grow"),
    ] = 5.0
    retry_after_max_s: Annotated[Seconds, msgspec.Meta(description="a server's Retry-After is obeyed up to this")] = (
        60.0
    )
    move_timeout_s: Annotated[
        Seconds,
        msgspec.Meta(description="from the signal of a move to the open connection; below a ticket's 10 s"),
    ] = MOVE_TIMEOUT_S
    held_bytes_max: Annotated[
        int,
        msgspec.Meta(ge=1024, le=1 << 30, description="bytes that may be sent during a move; then it is given up"),
    ] = HELD_BYTES_MAX
    moves_burst: Annotated[
        int,
        msgspec.Meta(
            ge=1,
            le=1000,
            description="moves that are followed at once; one more each 5 s. Beyond: after growing pauses, and finally "
            "the client reconnects instead",
        ),
    ] = MOVES_BURST
    subscribes_max: Annotated[
        int,
        msgspec.Meta(
            ge=1,
            le=10_000,
            description="subscribes and unsubscribes without an answer; further commands wait for answers",
        ),
    ] = 128
    queue_max: Annotated[
        int,
        msgspec.Meta(ge=1, le=1_000_000, description="publications kept for a subscription; then the oldest goes"),
    ] = 1024
    pending_max: Annotated[
        int,
        msgspec.Meta(ge=1, le=1_000_000, description="publishes that wait for an answer; then Overloaded is raised"),
    ] = 1024
    message_bytes_max: Annotated[
        int,
        msgspec.Meta(ge=1024, le=1 << 30, description="longest message accepted: above a node's outbox of 1 MiB"),
    ] = 4 << 20
    read_buffer_bytes: Annotated[
        int,
        msgspec.Meta(ge=2048, le=1 << 20, description="first size of a connection's read buffer; it grows on demand"),
    ] = 2048

    def __post_init__(self) -> None:
        """Raise `ConfigError` if two settings do not go together."""
        if self.backoff_base_s > self.backoff_cap_s:
            raise ConfigError(
                f"backoff_base_s is {self.backoff_base_s:g}, backoff_cap_s is {self.backoff_cap_s:g}: no pause is "
                "as long as the first; lower backoff_base_s"
            )
