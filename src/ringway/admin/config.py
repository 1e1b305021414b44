"""What can be set on the admin port."""

from typing import Annotated

import msgspec

from ringway.errors import ConfigError
from ringway.protocol.host import read_hosts


class AdminConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of the admin port: metrics, health, members."""

    enabled: Annotated[
        bool, msgspec.Meta(description="Whether there is an admin port. Without it a node saves some 25 MiB.")
    ] = True
    host: Annotated[
        str,
        msgspec.Meta(
            description="Address that the admin port listens on. Loopback, because it asks nobody who they are."
        ),
    ] = "127.0.0.1"
    port: Annotated[
        Annotated[int, msgspec.Meta(ge=0, le=65535)] | None,
        msgspec.Meta(
            description="The admin port; 0 takes a free one. Not set: a gateway takes the port after its public one "
            "where that is free, and a node any free one."
        ),
    ] = None
    allowed_hosts: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="Names by which an admin port on loopback may be asked, beside localhost and addresses: "
            "ops.example, *.ops.example, `*` for any. Under any other name a browser was led here by the name's owner "
            "(DNS rebinding) and is refused."
        ),
    ] = ()

    def __post_init__(self) -> None:
        """Raise `ConfigError` where a name is none, and for a host that would mean all of them unnoticed."""
        if not self.host:
            raise ConfigError("host is empty, which is no address; give one, 127.0.0.1 for this machine alone")
        read_hosts(self.allowed_hosts)
