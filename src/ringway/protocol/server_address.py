"""Addresses of WebSocket servers, read from their ws:// and wss:// URLs."""

from dataclasses import dataclass
from functools import lru_cache

from ringway.errors import ConfigError
from ringway.protocol.address import authority, read_url, shown

PORTS = {"ws": 80, "wss": 443}


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """The address of a WebSocket server, read from its URL."""

    host: str
    port: int
    tls: bool
    prefix: str  # path before the client's path; without a slash at its end
    tls_name: str = ""  # the name in its certificate; empty: `host`

    @property
    def authority(self) -> str:
        """Host and port in the form of a Host header."""
        return authority(self.host, self.port, PORTS["wss" if self.tls else "ws"])


@lru_cache(maxsize=4096)
def read_address(url: str) -> ServerAddress:
    """Return the address in a ws:// or wss:// URL; raise `ConfigError` with the problem of a wrong URL."""
    parts = read_url(url, PORTS, "write ws://host:port/path", "backends are reached without any")
    if "?" in url:
        raise ConfigError(f"the URL {shown(url)!r} holds a query or fragment; give scheme, host, port and path only")
    return ServerAddress(parts.host, parts.port, parts.scheme == "wss", parts.path.rstrip("/"))
