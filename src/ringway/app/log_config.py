"""Settings of the log."""

from typing import Annotated, Literal

import msgspec


class LogConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of the log."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"],
        msgspec.Meta(description="The least important events that are logged."),
    ] = "info"
    format: Annotated[
        Literal["auto", "console", "json"],
        msgspec.Meta(
            description="One JSON object a line, or lines for the eye. auto: for the eye on a terminal, else JSON."
        ),
    ] = "auto"
    repeats_per_s_max: Annotated[
        int,
        msgspec.Meta(
            description="How many lines that say the same of the same member are written in a second. One more line "
            "says how many others there were (`repeated`).",
            ge=1,
            le=1_000_000,
        ),
    ] = 5
    queue_bytes_max: Annotated[
        int,
        msgspec.Meta(
            description="How much may wait to be written where the disk, pipe or terminal under the log is slow or "
            "full. Lines beyond it are dropped and counted; nothing else waits for them.",
            ge=65_536,
            le=1 << 30,
            extra={"unit": "bytes"},
        ),
    ] = 1 << 20
    flush_s: Annotated[
        float,
        msgspec.Meta(
            description="How long the end of the process waits for lines that are not written yet.",
            ge=0,
            le=60,
            extra={"unit": "s"},
        ),
    ] = 1.0
