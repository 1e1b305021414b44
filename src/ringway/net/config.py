"""Settings of names and connections, the same for all connections of a process."""

from typing import Annotated

import msgspec


class NamesConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of name lookups, and of the order in which the addresses of a name are tried."""

    fresh_s: Annotated[
        float,
        msgspec.Meta(
            description="The addresses of a name are used for this long before it is looked up again.",
            ge=0,
            le=3600,
            extra={"unit": "s"},
        ),
    ] = 1.0
    kept_s: Annotated[
        float,
        msgspec.Meta(
            description="The greatest age of an old answer that is used while lookups of the name fail. 0: old answers "
            "are not used.",
            ge=0,
            le=604800,
            extra={"unit": "s"},
        ),
    ] = 3600.0
    gone_s: Annotated[
        float,
        msgspec.Meta(
            description="The greatest age of an old answer if the name servers say that the name does not exist (any "
            "more).",
            ge=0,
            le=604800,
            extra={"unit": "s"},
        ),
    ] = 30.0
    late_s: Annotated[
        float,
        msgspec.Meta(
            description="A lookup may take this long before the last good answer is used instead.",
            ge=0,
            le=60,
            extra={"unit": "s"},
        ),
    ] = 0.2
    silent_s: Annotated[
        float,
        msgspec.Meta(
            description="A lookup without an old answer may take this long. Then further requests for the name fail at "
            "once, so that another name is tried.",
            ge=0,
            le=60,
            extra={"unit": "s"},
        ),
    ] = 2.0
    retry_s: Annotated[
        float,
        msgspec.Meta(
            description="The pause after a failed lookup. Requests during the pause get the last good answer, or the "
            "same error.",
            ge=0,
            le=3600,
            extra={"unit": "s"},
        ),
    ] = 1.0
    lookups_max: Annotated[
        int,
        msgspec.Meta(
            description="Lookups at the same time, each in its own thread; further names wait for their turn. Half of "
            "the places are reserved for names whose last lookup succeeded.",
            ge=2,
            le=4096,
        ),
    ] = 128
    names_max: Annotated[
        int,
        msgspec.Meta(
            description="Names that are remembered. Beyond this, the name that has been unused for longest is "
            "forgotten.",
            ge=1,
            le=1_000_000,
        ),
    ] = 4096
    next_address_s: Annotated[
        float,
        msgspec.Meta(
            description="An address is tried alone for this long before the next address of the same name is tried in "
            "parallel (RFC 8305). Shorter if a name has so many addresses that the deadline would end first.",
            gt=0,
            le=60,
            extra={"unit": "s"},
        ),
    ] = 0.25
    avoid_s: Annotated[
        float,
        msgspec.Meta(
            description="An address that did not answer is tried after the other addresses of its name for this long.",
            ge=0,
            le=86400,
            extra={"unit": "s"},
        ),
    ] = 60.0
