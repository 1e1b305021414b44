"""The URL of a NATS server or cluster: its addresses, the login, and TLS."""

from dataclasses import dataclass

from ringway.engine.url import check_options, decoded, read_address, split_url
from ringway.errors import ConfigError
from ringway.net.tls.client import TlsFiles
from ringway.protocol.address import show_host_port

PORT = 4222
TLS_OPTIONS = ("ca_file", "cert_file", "key_file", "tls_first")
LOGIN_OPTIONS = ("user", "password", "password_file", "token", "creds_file", "nkey", "nkey_file")

_SCHEMES = ("nats", "tls")
_FORM = "give nats://[user:password@]host[:port][,host[:port]...], or tls://... with TLS"


@dataclass(frozen=True, slots=True)
class NatsUrl:
    """The servers and the login. `servers` contain no credentials and may be shown."""

    servers: tuple[str, ...]
    addresses: tuple[tuple[str, int], ...]
    user: str | None = None
    password: str | None = None
    token: str | None = None
    creds_file: str = ""
    password_file: str = ""
    """A file with the password, or with the token if there is no user. It is read at each connect."""
    nkey: str = ""
    """The seed of a user's nkey."""
    nkey_file: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    tls_first: bool = False
    """True if the server sends no INFO before the TLS handshake (its setting `handshake_first`)."""

    def __str__(self) -> str:
        return ",".join(self.servers)

    def __repr__(self) -> str:
        return f"NatsUrl({self})"

    @property
    def tls(self) -> bool:
        """True if no data may be sent without TLS. A server may require TLS also if this is false."""
        return self.servers[0].startswith("tls://")

    def tls_files(self) -> TlsFiles | None:
        """Return the files of TLS; None without `tls://`. Raise `ConfigError` if they cannot be used."""
        return TlsFiles(self.ca_file, self.cert_file, self.key_file) if self.tls else None


def read_url(url: str) -> NatsUrl:
    """Return the parts of `url`. Raise `ConfigError`, which never repeats a password.

    `nats://user:password@a:4222,b:4222` names two servers with the same credentials; `tls://` demands TLS;
    `nats://token@host` gives a token. All may be percent-encoded. Options follow a `?`: `TLS_OPTIONS`, `LOGIN_OPTIONS`.
    """
    parts = split_url(url, _FORM)
    if parts.scheme not in _SCHEMES:
        raise ConfigError(f"the engine URL begins with {parts.scheme!r}; {_FORM}")
    if parts.path:
        raise ConfigError(f"the engine URL has a path, which NATS has no use for; {_FORM}")
    check_options(parts.options, (*TLS_OPTIONS, *LOGIN_OPTIONS))
    addresses = tuple(read_address(host, at, PORT, _FORM) for at, host in enumerate(parts.hosts, 1))
    servers = tuple(f"{parts.scheme}://{show_host_port(*address)}" for address in addresses)
    options = dict(parts.options)
    tls_first = _switch(options.pop("tls_first", "false"))
    asking = [name for name in TLS_OPTIONS if name in parts.options]
    if asking and parts.scheme != "tls":
        raise ConfigError(f"the engine URL gives {', '.join(asking)}, and asks for no TLS; begin it with tls://")
    return NatsUrl(servers, addresses, tls_first=tls_first, **_login(parts.login(_FORM), options))


def _login(credentials: str, options: dict[str, str]) -> dict[str, str]:
    """Return `options` with the credentials; raise if there is more than one login."""
    user, colon, password = credentials.partition(":")
    if colon:
        given = {"user": decoded(user), "password": decoded(password)}
    elif credentials:
        given = {"user" if "password_file" in options else "token": decoded(user)}
    else:
        given = {}
    if twice := given.keys() & options.keys():
        raise ConfigError(f"the engine URL gives {', '.join(sorted(twice))} before the host and as an option; give one")
    login = given | options
    ways = [way for way in ("password", "password_file", "token", "creds_file", "nkey", "nkey_file") if way in login]
    if len(ways) > 1:
        raise ConfigError(f"the engine URL gives {' and '.join(ways)}; give one of them")
    if "user" in login and not login.keys() & {"password", "password_file"}:
        raise ConfigError("the engine URL gives a user without a password; give password or password_file")
    if "password" in login and "user" not in login:
        raise ConfigError("the engine URL gives a password without a user; give the user, or a token")
    return login


def _switch(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0"):
        raise ConfigError("tls_first in the engine URL is neither true nor false")
    return text.lower() in ("true", "1")
