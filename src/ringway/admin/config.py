"""Settings of the admin port."""

from typing import Annotated

import msgspec

from ringway.api.limits import ConnectionsMax, RequestDeadline, TcpKeepalive, check_host
from ringway.errors import ConfigError, refuse
from ringway.net.tls.config import TlsPortConfig
from ringway.protocol.host import read_hosts


class AdminConfig(TlsPortConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of the admin port: metrics, health, members."""

    enabled: Annotated[bool, msgspec.Meta(description="Open an admin port.")] = True
    host: Annotated[
        str,
        msgspec.Meta(
            description="Address that the admin port listens on. * or :: means all addresses, 0.0.0.0 all of IPv4. The "
            "default is loopback. On any other address all but /healthz and /readyz needs a token."
        ),
    ] = "127.0.0.1"
    request_deadline_s: RequestDeadline = 10.0
    connections_max: ConnectionsMax = 64
    tcp_keepalive_s: TcpKeepalive = 30
    port: Annotated[
        Annotated[int, msgspec.Meta(ge=0, le=65535)] | None,
        msgspec.Meta(
            description="The admin port; 0 takes a free port. Not set: a gateway takes the port after its public port "
            "if it is free, a node takes any free port."
        ),
    ] = None
    allowed_hosts: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="Names under which an admin port on loopback accepts requests, besides localhost and "
            "addresses: ops.example, *.ops.example, `*` for any name. Requests under other names are refused, because "
            "the owner of a name can lead a browser here (DNS rebinding)."
        ),
    ] = ()

    read_tokens_file: Annotated[
        str,
        msgspec.Meta(
            description="File with tokens that may read (`Authorization: Bearer TOKEN`): metrics, members, policy, "
            "moves. One a line, of which each admits; lines with # are comments. It is read again when it changes. "
            "With this file or the next, all but /healthz and /readyz needs a token, on loopback as well.",
            extra={"unit": "path"},
        ),
    ] = ""
    operate_tokens_file: Annotated[
        str,
        msgspec.Meta(
            description="File with tokens that may also operate: drain, balance, freeze, change the policy, revoke.",
            extra={"unit": "path"},
        ),
    ] = ""
    open_metrics: Annotated[bool, msgspec.Meta(description="/metrics needs no token, as /healthz needs none.")] = False

    def __post_init__(self) -> None:
        """Raise `ConfigError` for an empty host, a wrong entry of `allowed_hosts`, or contradicting settings of TLS."""
        problems = self.tls_problems()
        for check in (lambda: check_host(self.host), lambda: read_hosts(self.allowed_hosts)):
            try:
                check()
            except ConfigError as error:
                problems += error.problems
        refuse(problems)
