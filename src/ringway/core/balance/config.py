"""Settings of the balancer, with the unit, bound and reason of each."""

from typing import Annotated

import msgspec

from ringway.errors import ConfigError


class BalanceConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings that decide when the balancer begins, paces and stops moves."""

    start_above: Annotated[
        float,
        msgspec.Meta(
            description="Begin a balance if a node is off its fair share by more than this part of it. Must exceed the "
            "noise of random placement.",
            gt=0,
            le=1,
        ),
    ] = 0.10
    stop_below: Annotated[
        float,
        msgspec.Meta(
            description="A balance ends when every node is within this part of its fair share. Below `start_above`, so "
            "that it does not begin again a minute later. 0: it ends with the last connection.",
            ge=0,
            le=1,
        ),
    ] = 0.03
    zone_tolerance: Annotated[
        float,
        msgspec.Meta(
            description="Connections leave their zone only if a node would otherwise be off its fair share by more "
            "than this part of it. 0: zones decide who moves where, but not how many connections move.",
            ge=0,
            le=0.5,
        ),
    ] = 0.05
    roll_above: Annotated[
        float,
        msgspec.Meta(
            description="In a rolling restart, clients go first to nodes that have been restarted already, until these "
            "are this part above their fair share. So few clients go to a node that is still to be restarted, and are "
            "moved again.",
            ge=0,
            le=10,
        ),
    ] = 0.25
    moves_share_per_s: Annotated[
        float,
        msgspec.Meta(
            description="Move at most this part of all connections a second. With the default, a third node is filled "
            "in some ten seconds. The capacity of the targets is a further bound.",
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
        msgspec.Meta(
            description="The cluster moves at most this many connections a second. 0: 50 for each node, and at least "
            "500. What donors and targets can take is a further bound.",
            ge=0,
        ),
    ] = 0.0
    donor_per_s_max: Annotated[
        float,
        msgspec.Meta(
            description="No node is ordered to give away more connections a second than this, or than the handshakes "
            "that it reports as its capacity.",
            gt=0,
        ),
    ] = 500.0
    target_share: Annotated[
        float,
        msgspec.Meta(
            description="Moves, and clients that come by themselves, use at most this part of the handshakes a second "
            "that a target reports as its capacity.",
            gt=0,
            le=1,
        ),
    ] = 0.5
    settle_s: Annotated[
        float,
        msgspec.Meta(
            description="Wait this long after a node joined, left, or changed its state or weight, because other nodes "
            "may follow. A drain waits one second at most.",
            ge=0,
            extra={"unit": "s"},
        ),
    ] = 10.0
    lease_s: Annotated[
        float,
        msgspec.Meta(
            description="A balancer leads for this long without renewing its lease. If it dies, another balancer takes "
            "over after this time.",
            ge=2,
            le=60,
            extra={"unit": "s"},
        ),
    ] = 4.0
    freeze_suspects: Annotated[
        float,
        msgspec.Meta(
            description="Make no moves while this part of all nodes has been silent for three seconds. 1: only while "
            "all are silent.",
            gt=0,
            le=1,
        ),
    ] = 0.2
    freeze_success_below: Annotated[
        float,
        msgspec.Meta(
            description="Make no moves while less than this part of the clients that were moved within the last minute "
            "came back. 0: ignore that.",
            ge=0,
            le=1,
        ),
    ] = 0.98
    freeze_handshake_times: Annotated[
        float,
        msgspec.Meta(
            description="Make no moves while a target's slowest handshakes (99th percentile) take more than this times "
            "as long as in calm times.",
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
        if self.moves_per_s_min > self.moves_per_s_max > 0:
            problems.append(
                f"moves_per_s_min is {self.moves_per_s_min:g}, moves_per_s_max is {self.moves_per_s_max:g}: lower the "
                "least, or raise the most"
            )
        if problems:
            raise ConfigError(*problems)
