"""URL of a Redis or Valkey server, of a server behind Sentinel, or of a Redis Cluster."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from ringway.engine.password import read_password
from ringway.engine.url import UrlParts, check_options, decoded, read_address, split_url
from ringway.errors import ConfigError
from ringway.net.tls.client import TlsFiles
from ringway.protocol.address import show_host_port

Address = tuple[str, int]

PORT = 6379
SENTINEL_PORT = 26379
DATABASE_MAX = 1023
PREFIX = "rw"

_PREFIX = re.compile(r"[!-z|~]{1,64}")

_FORM = (
    "give redis://[user:password@]host[:port][/database], redis+sentinel://host:port,host:port/name or "
    "redis+cluster://host:port,host:port (rediss with TLS)"
)
TLS_OPTIONS = ("ca_file", "cert_file", "key_file")
LOGIN_OPTIONS = ("user", "password", "password_file")
_OPTIONS = ("prefix", *TLS_OPTIONS, *LOGIN_OPTIONS, "sentinel_user", "sentinel_password")


class Kind(Enum):
    """The way to find the servers: the end of the URL's scheme."""

    SINGLE = ""
    SENTINEL = "+sentinel"
    CLUSTER = "+cluster"


@dataclass(frozen=True, slots=True)
class Login:
    """The login: a user of an access control list, or only a password for a server without such a list."""

    user: str = ""
    password: str = field(default="", repr=False)
    password_file: str = ""
    """The file with the password; read at each connect."""

    def secret(self) -> str:
        """Return the password. Raise `ConfigError` if its file cannot be read."""
        return read_password(self.password_file) if self.password_file else self.password


NO_LOGIN = Login()


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisUrl:
    """The servers, and the login there. Its text contains no credentials, so messages may contain it."""

    kind: Kind
    addresses: tuple[Address, ...]
    """The server, the sentinels, or some servers of the cluster."""
    login: Login = NO_LOGIN
    sentinel_login: Login = NO_LOGIN
    master: str = ""
    """The sentinels' name of the master."""
    database: int = 0
    prefix: str = PREFIX
    """The beginning of all keys and channels of Ringway."""
    tls: bool = False
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""

    def __str__(self) -> str:
        where = ",".join(show(address) for address in self.addresses)
        return f"redis{'s' if self.tls else ''}{self.kind.value}://{where}" + (f"/{self.master}" if self.master else "")

    def tls_files(self) -> TlsFiles | None:
        """Return the files of TLS; None without TLS. Raise `ConfigError` if they cannot be used."""
        return TlsFiles(self.ca_file, self.cert_file, self.key_file) if self.tls else None


def show(address: Address) -> str:
    """Return `address` as host:port."""
    return show_host_port(*address)


def read_url(url: str) -> RedisUrl:
    """Read `url`; raise `ConfigError`, which never repeats a password.

    User, password and options may be percent-encoded. Options follow a `?`: `prefix` begins all keys and channels,
    `ca_file` proves the server, `cert_file` and `key_file` prove the client, `user`, `password` and `password_file` are
    the login if it is not before the host, and `sentinel_user` and `sentinel_password` are the login at the sentinels;
    without them there is no login at the sentinels.
    """
    parts = split_url(url, _FORM)
    plain, plus, kind_text = parts.scheme.partition("+")
    try:
        kind = Kind(plus + kind_text)
    except ValueError:
        kind = None
    if plain not in ("redis", "rediss") or kind is None:
        raise ConfigError(f"the engine URL begins with {parts.scheme!r}; {_FORM}")
    if len(parts.credentials) > 1:
        raise ConfigError("the engine URL gives credentials for more than one host; give them once, before the first")
    options = parts.options
    check_options(options, _OPTIONS)
    return RedisUrl(
        kind=kind,
        addresses=_addresses(parts.hosts, kind),
        login=_login(parts),
        sentinel_login=Login(options.get("sentinel_user", ""), options.get("sentinel_password", "")),
        master=_master(parts.path) if kind is Kind.SENTINEL else "",
        database=0 if kind is Kind.SENTINEL else _database(parts.path, kind),
        prefix=_prefix(options.get("prefix", PREFIX)),
        tls=plain == "rediss",
        **_files(options, plain == "rediss"),
    )


def _login(parts: UrlParts) -> Login:
    given = {name: parts.options[name] for name in LOGIN_OPTIONS if name in parts.options}
    user, colon, password = parts.login(_FORM).partition(":")
    if colon or (user and "password_file" in given):
        before = {"user": decoded(user), **({"password": decoded(password)} if colon else {})}
    else:
        # Other clients read redis://secret@host as a user without a password, which no server accepts.
        before = {"password": decoded(user)} if user else {}
    if twice := before.keys() & given.keys():
        raise ConfigError(f"the engine URL gives {', '.join(sorted(twice))} before the host and as an option; give one")
    login = Login(**before, **given)
    if login.password and login.password_file:
        raise ConfigError("the engine URL gives password and password_file; give one of them")
    if login.user and not colon and not (login.password or login.password_file):
        raise ConfigError("the engine URL gives a user without a password; give password or password_file")
    return login


def _addresses(hosts: Sequence[str], kind: Kind) -> tuple[Address, ...]:
    if kind is Kind.SINGLE and len(hosts) > 1:
        raise ConfigError(
            f"the engine URL names {len(hosts)} servers; a single one is redis://host:port, "
            "several are a cluster (redis+cluster://) or sentinels (redis+sentinel://)"
        )
    port = SENTINEL_PORT if kind is Kind.SENTINEL else PORT
    return tuple(read_address(host, at, port, _FORM) for at, host in enumerate(hosts, 1))


def _master(path: str) -> str:
    name = decoded(path).strip("/")
    if not name:
        raise ConfigError(
            "the engine URL does not say which server the sentinels watch; "
            "end it with the name that they give it, as in redis+sentinel://host:26379/mymaster"
        )
    return name


def _database(path: str, kind: Kind) -> int:
    text = path.strip("/") or "0"
    if not text.isdecimal() or int(text) > DATABASE_MAX:
        raise ConfigError(f"the database at the end of the engine URL is not a number from 0 to {DATABASE_MAX}")
    if int(text) and kind is Kind.CLUSTER:
        raise ConfigError(f"the engine URL asks for database {text}; a Redis Cluster has only database 0")
    return int(text)


def _prefix(prefix: str) -> str:
    if not _PREFIX.fullmatch(prefix):
        raise ConfigError(
            f"the prefix {prefix!r} in the engine URL is not usable: "
            f"give 1 to 64 printable ASCII characters without spaces and braces"
        )
    return prefix


def _files(options: Mapping[str, str], tls: bool) -> dict[str, str]:
    files = {name: options[name] for name in TLS_OPTIONS if name in options}
    if files and not tls:
        raise ConfigError(f"the engine URL gives {', '.join(files)}, and asks for no TLS; write rediss for redis")
    return files
