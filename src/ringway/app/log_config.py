"""Settings of the log."""

from typing import Annotated, Literal

import msgspec


class LogConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of the log."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"],
        msgspec.Meta(description="Lowest level of the events that are logged."),
    ] = "info"
    format: Annotated[
        Literal["auto", "console", "json"],
        msgspec.Meta(
            description="json: one JSON object a line. console: lines for people. auto: console on a terminal, "
            "otherwise json."
        ),
    ] = "auto"
    repeats_per_s_max: Annotated[
        int,
        msgspec.Meta(
            description="Lines with the same message about the same member that are written in one second. A further "
            "line gives the number of the lines left out (`repeated`).",
            ge=1,
            le=1_000_000,
        ),
    ] = 5
    queue_bytes_max: Annotated[
        int,
        msgspec.Meta(
            description="Bytes that may wait while the disk, pipe or terminal behind the log is slow or full. Further "
            "lines are dropped and counted. Nothing else waits for the log.",
            ge=65_536,
            le=1 << 30,
            extra={"unit": "bytes"},
        ),
    ] = 1 << 20
    flush_s: Annotated[
        float,
        msgspec.Meta(
            description="Time that the end of the process waits for unwritten lines.",
            ge=0,
            le=60,
            extra={"unit": "s"},
        ),
    ] = 1.0
