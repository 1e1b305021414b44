"""Settings of `ringway up`."""

from typing import Annotated

import msgspec


class UpConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `ringway up` starts, and how long it waits."""

    nodes: Annotated[int, msgspec.Meta(description="How many channel nodes to start.", ge=0, le=100)] = 2
    nats_port: Annotated[
        Annotated[int, msgspec.Meta(ge=1, le=65535)] | None,
        msgspec.Meta(
            description="Port of the embedded NATS server, on loopback. Not set: that of the last start, or a free one."
        ),
    ] = None
    nats_sync_always: Annotated[
        bool,
        msgspec.Meta(
            description="Whether the embedded NATS server writes history through to the disk before it confirms, so "
            "that a failure of power loses none of it. Costs nine tenths of the rate; without it, the last 10 s can be "
            "lost."
        ),
    ] = False
    ready_s: Annotated[
        float,
        msgspec.Meta(
            description="All processes must be ready this long after their start, else `up` gives up.",
            gt=0,
            le=600,
            extra={"unit": "s"},
        ),
    ] = 30.0
    stop_s: Annotated[
        float,
        msgspec.Meta(
            description="How long each process has to stop in order before it is killed.",
            gt=0,
            le=600,
            extra={"unit": "s"},
        ),
    ] = 15.0
