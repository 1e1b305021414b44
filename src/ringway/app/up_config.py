"""Settings of `ringway up`."""

from typing import Annotated

import msgspec


class UpConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The parts that `ringway up` starts, and its deadlines."""

    nodes: Annotated[int, msgspec.Meta(description="Number of channel nodes to start.", ge=0, le=100)] = 2
    nats_port: Annotated[
        Annotated[int, msgspec.Meta(ge=1, le=65535)] | None,
        msgspec.Meta(
            description="Port of the embedded NATS server, on loopback. Not set: the port of the last start, or a free "
            "port."
        ),
    ] = None
    nats_sync_always: Annotated[
        bool,
        msgspec.Meta(
            description="The embedded NATS server writes history to the disk before it confirms, so that a power "
            "failure loses nothing. This costs nine tenths of the rate. Off: the last 10 s can be lost."
        ),
    ] = False
    ready_s: Annotated[
        float,
        msgspec.Meta(
            description="All processes must be ready in this time after their start; otherwise `up` gives up.",
            gt=0,
            le=600,
            extra={"unit": "s"},
        ),
    ] = 30.0
    stop_s: Annotated[
        float,
        msgspec.Meta(
            description="Time that each process has to stop in order before it is killed.",
            gt=0,
            le=600,
            extra={"unit": "s"},
        ),
    ] = 15.0
