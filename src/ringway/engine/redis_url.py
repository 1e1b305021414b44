"""Reads the URL of a Redis or Valkey server, of one behind Sentinel, or of a Redis Cluster."""

import re
import ssl
from dataclasses import dataclass
from enum import Enum
from urllib.parse import parse_qsl, unquote, urlsplit

from ringway.errors import ConfigError

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
_OPTIONS = ("prefix", "ca_file", "cert_file", "key_file", "sentinel_user", "sentinel_password")


class Kind(Enum):
    """How the servers are found, by the end of the scheme."""

    SINGLE = ""
    SENTINEL = "+sentinel"
    CLUSTER = "+cluster"


@dataclass(frozen=True, slots=True)
class Login:
    """Who we are: a user of an access control list, or only the password of a server without one."""

    user: str = ""
    password: str = ""


NOBODY = Login()


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisUrl:
    """Where Redis is, and who we are there. As text it holds no credentials and may be shown."""

    kind: Kind
    addresses: tuple[Address, ...]
    """The server, the sentinels, or some servers of the cluster."""
    login: Login = NOBODY
    sentinel_login: Login = NOBODY
    master: str = ""
    """What the sentinels call the server that they watch."""
    database: int = 0
    prefix: str = PREFIX
    """Begins all keys and channels of ours."""
    tls: bool = False
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""

    def __str__(self) -> str:
        where = ",".join(show(address) for address in self.addresses)
        return f"redis{'s' if self.tls else ''}{self.kind.value}://{where}" + (f"/{self.master}" if self.master else "")

    def tls_context(self) -> ssl.SSLContext | None:
        """What TLS needs; None without TLS. Raise `ConfigError` where a file cannot be used."""
        if not self.tls:
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca_file or None)
            if self.cert_file:
                context.load_cert_chain(self.cert_file, self.key_file or None)
        except (OSError, ssl.SSLError) as error:
            named = ", ".join(name for name in (self.ca_file, self.cert_file, self.key_file) if name)
            raise ConfigError(f"a certificate of the engine URL cannot be used ({named}: {error})") from None
        return context


def show(address: Address) -> str:
    """Return `address` as host:port."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def read_url(url: str) -> RedisUrl:
    """Return what `url` says; raise `ConfigError`, which never repeats a password.

    User, password and options may be percent-encoded. Options follow a `?`: `prefix` begins all keys and channels,
    `ca_file` proves the server, `cert_file` and `key_file` prove us to it, `sentinel_user` and `sentinel_password` are
    for the sentinels, which else are asked without.
    """
    scheme, _, rest = url.partition("://")
    plain, plus, kind_text = scheme.partition("+")
    try:
        kind = Kind(plus + kind_text)
    except ValueError:
        kind = None
    if plain not in ("redis", "rediss") or kind is None:
        raise ConfigError(f"the engine URL begins with {scheme!r}; {_FORM}")
    credentials, _, rest = rest.rpartition("@")  # first: a password may hold any other sign
    rest, _, query = rest.partition("?")
    hosts, _, path = rest.partition("/")
    options = _options(query)
    if kind is not Kind.SINGLE and "," in credentials:
        raise ConfigError("the engine URL gives credentials for more than one host; give them once, before the first")
    return RedisUrl(
        kind=kind,
        addresses=_addresses(hosts, kind),
        login=_login(credentials),
        sentinel_login=Login(options.get("sentinel_user", ""), options.get("sentinel_password", "")),
        master=_master(path) if kind is Kind.SENTINEL else "",
        database=0 if kind is Kind.SENTINEL else _database(path, kind),
        prefix=_prefix(options.get("prefix", PREFIX)),
        tls=plain == "rediss",
        **_files(options, plain == "rediss"),
    )


def _options(query: str) -> dict[str, str]:
    given = parse_qsl(query, keep_blank_values=True)
    for name, _ in given:
        if name not in _OPTIONS:
            raise ConfigError(f"the engine URL has the option {name!r}; there are {', '.join(_OPTIONS)}")
    return dict(given)


def _login(credentials: str) -> Login:
    user, colon, password = credentials.partition(":")
    # redis://secret@host is what other clients read as a user without a password; that is of no use to anybody.
    return Login(unquote(user), unquote(password)) if colon else Login("", unquote(user))


def _addresses(hosts: str, kind: Kind) -> tuple[Address, ...]:
    parts = hosts.split(",")
    if kind is Kind.SINGLE and len(parts) > 1:
        raise ConfigError(
            f"the engine URL names {len(parts)} servers; a single one is redis://host:port, "
            "several are a cluster (redis+cluster://) or sentinels (redis+sentinel://)"
        )
    return tuple(_address(part.strip(), SENTINEL_PORT if kind is Kind.SENTINEL else PORT) for part in parts)


def _address(text: str, port_else: int) -> Address:
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port == 0 or text != parts.netloc:
        raise ConfigError(f"{text!r} in the engine URL is not host:port; {_FORM}")
    return host, port or port_else


def _master(path: str) -> str:
    name = unquote(path).strip("/")
    if not name:
        raise ConfigError(
            "the engine URL does not say which server the sentinels watch; "
            "end it with the name that they give it, as in redis+sentinel://host:26379/mymaster"
        )
    return name


def _database(path: str, kind: Kind) -> int:
    text = path.strip("/") or "0"
    if not text.isdecimal() or int(text) > DATABASE_MAX:
        raise ConfigError(f"the database {text!r} in the engine URL is not a number from 0 to {DATABASE_MAX}")
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


def _files(options: dict[str, str], tls: bool) -> dict[str, str]:
    files: dict[str, str] = {name: options[name] for name in ("ca_file", "cert_file", "key_file") if name in options}
    if files and not tls:
        raise ConfigError(f"the engine URL gives {', '.join(files)}, and asks for no TLS; begin it with rediss")
    return files
