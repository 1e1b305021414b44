"""Settings of the registration port."""

from typing import Annotated

import msgspec

from ringway.api.limits import ConnectionsMax, RequestDeadline, TcpKeepalive, check_host
from ringway.errors import refuse
from ringway.net.tls.config import TlsPortConfig
from ringway.protocol.registration import TTL_MAX_S, TTL_MIN_S


class RegistrationConfig(TlsPortConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of the registration port, where backends announce themselves to a gateway."""

    port: Annotated[
        Annotated[int, msgspec.Meta(ge=0, le=65535)] | None,
        msgspec.Meta(
            description="Port at which backends register themselves by HTTP; 0 takes a free port. Not set: no "
            "registration."
        ),
    ] = None
    host: Annotated[
        str,
        msgspec.Meta(
            description="Address that the registration port listens on. * or :: means all addresses, 0.0.0.0 all of "
            "IPv4. Any address but loopback needs `tokens_file`."
        ),
    ] = "127.0.0.1"
    tokens_file: Annotated[
        str,
        msgspec.Meta(
            description="File with the tokens that admit to registration, one a line; lines with # are comments. It is "
            "read again when it changes. Empty, on loopback: every process of this machine may register.",
            extra={"unit": "path"},
        ),
    ] = ""
    ttl_s: Annotated[
        float,
        msgspec.Meta(
            description="Lease of a backend that asks for none. A backend that does not renew for so long is dead.",
            ge=TTL_MIN_S,
            le=TTL_MAX_S,
            extra={"unit": "s"},
        ),
    ] = 10.0
    registrations_max: Annotated[
        int, msgspec.Meta(description="Backends that may be registered at one time.", ge=1, le=100_000)
    ] = 1000
    connections_max: ConnectionsMax = 256
    request_deadline_s: RequestDeadline = 10.0
    tcp_keepalive_s: TcpKeepalive = 30

    def __post_init__(self) -> None:
        """Raise `ConfigError` for an empty host, or for contradicting settings of TLS."""
        check_host(self.host)
        refuse(self.tls_problems())
