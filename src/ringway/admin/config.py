"""Settings of the admin port."""

from typing import Annotated

import msgspec

from ringway.errors import ConfigError
from ringway.protocol.host import read_hosts


class AdminConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of the admin port: metrics, health, members."""

    enabled: Annotated[bool, msgspec.Meta(description="Whether there is an admin port.")] = True
    host: Annotated[
        str,
        msgspec.Meta(
            description="Address that the admin port listens on: * or :: for all there are, 0.0.0.0 for IPv4 alone. "
            "Loopback, because it asks nobody who they are."
        ),
    ] = "127.0.0.1"
    request_deadline_s: Annotated[
        float,
        msgspec.Meta(
            description="A request must be complete this long after its connection opened, or after the answer before "
            "it; then the connection is closed, whatever has come.",
            gt=0,
            le=300,
            extra={"unit": "s"},
        ),
    ] = 10.0
    connections_max: Annotated[
        int,
        msgspec.Meta(
            description="Connections at one time; fewer where open files are few. At the bound one that owes a request "
            "makes room: the oldest of the address that has most.",
            ge=1,
            le=100_000,
        ),
    ] = 64
    tcp_keepalive_s: Annotated[
        int,
        msgspec.Meta(
            description="A peer that is silent for this long is probed (TCP keepalive); one whose network is gone is "
            "given up after twice of it, also while it is being sent to. 0: as the system does, which may be never.",
            ge=0,
            le=3600,
            extra={"unit": "s"},
        ),
    ] = 30
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
