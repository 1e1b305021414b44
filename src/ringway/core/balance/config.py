"""Settings of the balancer: each field with its unit, bound and reason."""

from typing import Annotated

import msgspec

from ringway.errors import ConfigError


class BalanceConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When the balancer acts, how fast, and what makes it stop."""

    start_above: Annotated[
        float,
        msgspec.Meta(
            description="Begin when a node is off its fair share by more than this part of it. "
            "Must exceed the noise of random placement.",
            gt=0,
            le=1,
        ),
    ] = 0.10
    stop_below: Annotated[
        float,
        msgspec.Meta(
            description="A balance that was begun ends when every node is within this part of its fair share. Less "
            "than `start_above`, so that it does not begin again a minute later. 0: it ends with the last connection.",
            ge=0,
            le=1,
        ),
    ] = 0.03
    zone_tolerance: Annotated[
        float,
        msgspec.Meta(
            description="Connections leave their zone only where a node would be off its fair share by more than this "
            "part of it otherwise. 0: zones decide who moves where, but not how many.",
            ge=0,
            le=0.5,
        ),
    ] = 0.05
    roll_above: Annotated[
        float,
        msgspec.Meta(
            description="In a rolling restart, a node that has been restarted is filled up to this part above its fair "
            "share before any client goes to a node that is still to be restarted, and so would be moved again.",
            ge=0,
            le=10,
        ),
    ] = 0.25
    moves_share_per_s: Annotated[
        float,
        msgspec.Meta(
            description="Move at most this part of all connections a second. With it a third node is filled in some "
            "ten seconds; what targets can take bounds it as well.",
            gt=0,
            le=1,
        ),
    ] = 0.03
    moves_per_s_min: Annotated[
        float,
        msgspec.Meta(description="A small cluster moves at least this many connections a second.", gt=0),
    ] = 5.0
    moves_per_s_max: Annotated[
        float,
        msgspec.Meta(description="No cluster moves more connections a second than this.", gt=0),
    ] = 500.0
    donor_per_s_max: Annotated[
        float,
        msgspec.Meta(
            description="No node is told to give away more connections a second than this. It counts where "
            "`moves_per_s_max` is raised for a large cluster.",
            gt=0,
        ),
    ] = 500.0
    target_share: Annotated[
        float,
        msgspec.Meta(
            description="Moves, and clients that come by themselves, use at most this part of the handshakes a second "
            "that a target says it can take.",
            gt=0,
            le=1,
        ),
    ] = 0.5
    settle_s: Annotated[
        float,
        msgspec.Meta(
            description="Wait this long after a node joined, left or changed its state or weight: others may be about "
            "to. A drain waits one second at most.",
            ge=0,
            extra={"unit": "s"},
        ),
    ] = 10.0
    lease_s: Annotated[
        float,
        msgspec.Meta(
            description="How long a balancer leads without renewing its lease; another takes over after it died.",
            ge=2,
            le=60,
            extra={"unit": "s"},
        ),
    ] = 4.0
    freeze_suspects: Annotated[
        float,
        msgspec.Meta(
            description="Make no moves while this part of all nodes was not heard for three seconds. 1: while none is.",
            gt=0,
            le=1,
        ),
    ] = 0.2
    freeze_success_below: Annotated[
        float,
        msgspec.Meta(
            description="Make no moves while less than this part of the clients moved within the last minute came "
            "back. 0: never for that.",
            ge=0,
            le=1,
        ),
    ] = 0.98
    freeze_handshake_times: Annotated[
        float,
        msgspec.Meta(
            description="Make no moves while a target's slowest handshakes (99th percentile) take more than this times "
            "what they took in calm times.",
            gt=1,
        ),
    ] = 2.0

    def __post_init__(self) -> None:
        """Raise `ConfigError` if two settings do not go together."""
        problems = []
        if self.stop_below >= self.start_above:
            problems.append(
                f"stop_below is {self.stop_below:g}, start_above is {self.start_above:g}: a balance would "
                "begin again as soon as it ends; lower stop_below"
            )
        if self.moves_per_s_min > self.moves_per_s_max:
            problems.append(
                f"moves_per_s_min is {self.moves_per_s_min:g}, moves_per_s_max is {self.moves_per_s_max:g}: lower the "
                "least, or raise the most"
            )
        if problems:
            raise ConfigError(*problems)
