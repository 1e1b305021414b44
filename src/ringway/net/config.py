"""Settings of names and connections, the same for all connections of a process."""

from typing import Annotated

import msgspec


class NamesConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Lookup of names, and the order in which their addresses are tried."""

    fresh_s: Annotated[
        float,
        msgspec.Meta(
            description="How long the addresses of a name are used before it is looked up again.",
            ge=0,
            le=3600,
            extra={"unit": "s"},
        ),
    ] = 1.0
    kept_s: Annotated[
        float,
        msgspec.Meta(
            description="The greatest age of an answer that is used while the name cannot be looked up. 0: none is.",
            ge=0,
            le=604800,
            extra={"unit": "s"},
        ),
    ] = 3600.0
    gone_s: Annotated[
        float,
        msgspec.Meta(
            description="The same if the name servers say that the name does not exist (any more).",
            ge=0,
            le=604800,
            extra={"unit": "s"},
        ),
    ] = 30.0
    late_s: Annotated[
        float,
        msgspec.Meta(
            description="How long a lookup may take before the last good answer is used in its place.",
            ge=0,
            le=60,
            extra={"unit": "s"},
        ),
    ] = 0.2
    silent_s: Annotated[
        float,
        msgspec.Meta(
            description="How long a lookup without a kept answer may take; then further requests for the name fail at "
            "once, so that another name is tried.",
            ge=0,
            le=60,
            extra={"unit": "s"},
        ),
    ] = 2.0
    retry_s: Annotated[
        float,
        msgspec.Meta(
            description="The pause after a failed lookup. Requests in the pause get the last good answer, or the same "
            "error.",
            ge=0,
            le=3600,
            extra={"unit": "s"},
        ),
    ] = 1.0
    lookups_max: Annotated[
        int,
        msgspec.Meta(
            description="Lookups under way at the same time, each in a thread of its own; other names wait for their "
            "turn. Half of the places are for names whose last lookup succeeded.",
            ge=2,
            le=4096,
        ),
    ] = 128
    names_max: Annotated[
        int,
        msgspec.Meta(
            description="Names that are remembered; beyond this the name that was not used for longest is forgotten.",
            ge=1,
            le=1_000_000,
        ),
    ] = 4096
    next_address_s: Annotated[
        float,
        msgspec.Meta(
            description="How long an address is tried alone before the next address of the same name is tried beside "
            "it (RFC 8305); less where a name has so many that the deadline would end before all were tried.",
            gt=0,
            le=60,
            extra={"unit": "s"},
        ),
    ] = 0.25
    avoid_s: Annotated[
        float,
        msgspec.Meta(
            description="How long an address that did not answer comes after the other addresses of its name.",
            ge=0,
            le=86400,
            extra={"unit": "s"},
        ),
    ] = 60.0
