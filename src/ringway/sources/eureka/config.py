"""Settings of Eureka registries, which gateways read applications from."""

from typing import Annotated

import msgspec


class EurekaConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings for backends from Eureka (docs/howto/backend-sources.md)."""

    poll_s: Annotated[
        float,
        msgspec.Meta(
            description="The pause between two reads of the registry. Its own clients read every 30 s; it renews its "
            "answers that often, unless its responseCacheUpdateIntervalMs is lower.",
            ge=0.05,
            le=3600,
            extra={"unit": "s"},
        ),
    ] = 5.0
    missing_s: Annotated[
        float,
        msgspec.Meta(
            description="An instance that the registry does not name any more, or whose state it does not know, keeps "
            "its state for this long before it is drained: a registry that has restarted fills up with the next "
            "heartbeats, every 30 s. Its server is watched by the gateway's own checks meanwhile.",
            ge=0,
            le=3600,
            extra={"unit": "s"},
        ),
    ] = 60.0
    timeout_s: Annotated[
        float,
        msgspec.Meta(
            description="The deadline of an answer.",
            ge=0.05,
            le=300,
            extra={"unit": "s"},
        ),
    ] = 5.0
    credentials_file: Annotated[
        str,
        msgspec.Meta(
            description="A file with user:password for registries that want HTTP Basic authentication, read again "
            "before each request.",
        ),
    ] = ""
