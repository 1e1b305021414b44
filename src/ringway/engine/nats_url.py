"""Reads the URL of a NATS server or cluster."""

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from ringway.errors import ConfigError

_SCHEMES = ("nats", "tls")
_FORM = "give nats://[user:password@]host[:port][,host[:port]...]"


@dataclass(frozen=True, slots=True)
class NatsUrl:
    """Where NATS is, and who we are there. `servers` hold no credentials and may be shown."""

    servers: tuple[str, ...]
    addresses: tuple[tuple[str, int], ...]
    user: str | None = None
    password: str | None = None
    token: str | None = None

    def __str__(self) -> str:
        return ",".join(self.servers)


def read_url(url: str) -> NatsUrl:
    """Return what `url` says; raise `ConfigError`, which never repeats a password.

    `nats://user:password@a:4222,b:4222` names two servers with the same credentials; `tls://` demands TLS;
    `nats://token@host` gives a token. User, password and token may be percent-encoded.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "nats", url
    if scheme not in _SCHEMES:
        raise ConfigError(f"the engine URL begins with {scheme!r}; {_FORM}, or tls://...")
    credentials = ""
    addresses = []
    for part in rest.rstrip("/").split(","):
        found, at, host = part.strip().rpartition("@")
        if at and not credentials:
            credentials = found.removeprefix(f"{scheme}://")
        addresses.append(_address(host.removeprefix(f"{scheme}://")))
    user, colon, password = credentials.partition(":")
    servers = tuple(
        f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}" for host, port in addresses
    )
    if credentials and not colon:
        return NatsUrl(servers, tuple(addresses), token=unquote(user))
    if credentials:
        return NatsUrl(servers, tuple(addresses), unquote(user), unquote(password))
    return NatsUrl(servers, tuple(addresses))


def _address(text: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port == 0 or text != (parts.netloc or text):
        raise ConfigError(f"{text!r} in the engine URL is not host:port; {_FORM}")
    return host, port or 4222
