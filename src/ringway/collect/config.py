"""Settings of custom load: the measures, and their combination to one score."""

from typing import Annotated, Literal

import msgspec

from ringway.collect.spec import hide_secrets, spec_of_table


class LoadConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of custom load: gateways measure nodes in addition to their reports (docs/howto/custom-load.md)."""

    collect: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="A measure of each node: NAME=SOURCE,option=value, such as "
            "cpu=snmp://{host}:161/cpu,community=$COMMUNITY,threshold=0.8. A busy node gets fewer newcomers, or none. "
            "In TOML also a table for each measure, [[load.collect]].",
            extra={"flag": "collect", "table": spec_of_table, "hide": hide_secrets},
        ),
    ] = ()
    score: Annotated[
        Literal["bottleneck", "sum"],
        msgspec.Meta(
            description="How the metrics of a node become one score: the worst, or their weighted mean. The default is "
            "the worst, because one scarce resource is enough to make a node slow.",
            extra={"flag": "collect-score"},
        ),
    ] = "bottleneck"
    polls_max: Annotated[
        int,
        msgspec.Meta(
            description="Measurements at the same time; further measurements wait for their turn.",
            ge=1,
            le=1024,
            extra={"flag": "collect-polls-max"},
        ),
    ] = 16
