"""The name and the bounds of an API port, and the settings that all API ports have."""

from dataclasses import dataclass
from typing import Annotated

import msgspec

from ringway.errors import ConfigError

ConnectionsMax = Annotated[
    int,
    msgspec.Meta(
        description="Connections at one time; fewer if open files are few. At the bound a new connection replaces one "
        "without a complete request: the oldest of the address with the most connections.",
        ge=1,
        le=100_000,
    ),
]

RequestDeadline = Annotated[
    float,
    msgspec.Meta(
        description="A request must be complete in this time after its connection opened, or after the previous "
        "answer. Otherwise the connection is closed.",
        gt=0,
        le=300,
        extra={"unit": "s"},
    ),
]

TcpKeepalive = Annotated[
    int,
    msgspec.Meta(
        description="A peer that is silent for this long is probed (TCP keepalive). A peer whose network is gone is "
        "given up after twice this time, even while data is being sent to it. 0: the system's default, which may be "
        "never.",
        ge=0,
        le=3600,
        extra={"unit": "s"},
    ),
]


def check_host(host: str) -> None:
    """Raise `ConfigError` if the address that a port listens on is empty."""
    if not host:
        raise ConfigError("host is empty, which is no address; give one, 127.0.0.1 for this machine alone")


@dataclass(frozen=True, slots=True, kw_only=True)
class PortLimits:
    """What one port is called, and how much it takes. `section` is the section of its settings."""

    port: str  # "admin port"
    section: str  # "admin"
    connections_max: int
    request_deadline_s: float
    tcp_keepalive_s: int
    body_bytes_max: int = 10_000_000
