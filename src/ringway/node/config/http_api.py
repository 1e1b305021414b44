"""Settings of the server API of a node."""

from typing import Annotated

import msgspec

from ringway.api.limits import ConnectionsMax, RequestDeadline, TcpKeepalive, check_host
from ringway.errors import refuse
from ringway.net.tls.config import TlsPortConfig


class HttpApiConfig(TlsPortConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of the server API, by which backends publish, ask and cut users off over HTTP."""

    port: Annotated[
        Annotated[int, msgspec.Meta(ge=0, le=65535)] | None,
        msgspec.Meta(
            description="Port at which a node serves the server API; 0 takes a free port. Not set: no server API. "
            "`ringway up` gives its first node this port, and the others the next free ones."
        ),
    ] = None
    host: Annotated[
        str,
        msgspec.Meta(
            description="Address that the server API listens on. * or :: means all addresses, 0.0.0.0 all of IPv4. Any "
            "address but loopback needs a key."
        ),
    ] = "127.0.0.1"
    key: Annotated[
        str,
        msgspec.Meta(
            description="The API key: each call has the header X-API-Key, or Authorization: apikey KEY. At least 16 "
            "characters. Prefer the file or the environment: other users of the machine can read flags.",
            extra={"secret": True},
        ),
    ] = ""
    key_file: Annotated[
        str,
        msgspec.Meta(
            description="File with the API keys, one a line, of which each admits; lines with # are comments. It is "
            "read again when it changes.",
            extra={"unit": "path"},
        ),
    ] = ""
    insecure: Annotated[
        bool,
        msgspec.Meta(
            description="No key is needed: every process of this machine may call. Only on loopback; pages in a "
            "browser may not."
        ),
    ] = False
    body_bytes_max: Annotated[
        int,
        msgspec.Meta(
            description="Longest body of a call; a longer one is refused with 413. All connections may have one.",
            ge=1024,
            le=256 * 1024 * 1024,
            extra={"unit": "bytes"},
        ),
    ] = 4 * 1024 * 1024
    channels_max: Annotated[
        int,
        msgspec.Meta(
            description="Channels of one broadcast, and channels that `channels` names; more are refused with error "
            "106.",
            ge=1,
            le=1_000_000,
        ),
    ] = 10_000
    commands_max: Annotated[
        int,
        msgspec.Meta(description="Commands of one batch; more are refused with error 106.", ge=1, le=100_000),
    ] = 1000
    cluster_deadline_s: Annotated[
        float,
        msgspec.Meta(
            description="Other nodes must answer a call that concerns them in this time; a node that does not is left "
            "out.",
            gt=0,
            le=60,
            extra={"unit": "s"},
        ),
    ] = 1.0
    connections_max: ConnectionsMax = 256
    request_deadline_s: RequestDeadline = 30.0
    tcp_keepalive_s: TcpKeepalive = 30

    def __post_init__(self) -> None:
        """Raise `ConfigError` for an empty host, or for contradicting settings of TLS."""
        check_host(self.host)
        refuse(self.tls_problems())
