"""The name and the bounds of an API port."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PortLimits:
    """What one port is called, and how much it takes. `section` is the section of its settings."""

    port: str  # "admin port"
    section: str  # "admin"
    connections_max: int
    request_deadline_s: float
    tcp_keepalive_s: int
    body_bytes_max: int = 10_000_000
