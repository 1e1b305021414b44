"""The URLs that a client meets: checking them, and turning one into another. Pure.

A gateway is named by `http(s)://` (ask it for a node) or by `ws(s)://` (connect to it as it is). Tickets and keys
travel in the query, so messages show URLs without it.
"""

from urllib.parse import SplitResult, unquote_plus, urlencode, urlsplit, urlunsplit

from ringway.errors import ConfigError

_SOCKET_SCHEME = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
_HTTP_SCHEME = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
_DEFAULT_PORT = {"http": 80, "ws": 80, "https": 443, "wss": 443}


def shown(url: str) -> str:
    """Return `url` as messages may show it: without query, fragment and credentials."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def check_url(url: str) -> str:
    """Return `url` where a client can use it; raise `ConfigError` that says what is wrong with it."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"the URL cannot be read ({error}); give one like http://127.0.0.1:8000") from None
    if parts.scheme not in _SOCKET_SCHEME:
        raise ConfigError(f"the URL {shown(url)!r} must begin with http://, https://, ws:// or wss://")
    if not parts.hostname or port == 0:
        raise ConfigError(f"the URL {shown(url)!r} names no host or no port; give one like http://127.0.0.1:8000")
    if ":" not in parts.hostname and any(not 0 < len(label) < 64 for label in parts.hostname.rstrip(".").split(".")):
        raise ConfigError(f"the URL {shown(url)!r} names a host that cannot exist: parts have 1 to 63 characters")
    if parts.username is not None or parts.password is not None:
        raise ConfigError(f"the URL {shown(url)!r} carries credentials, which are not sent; use additional_headers")
    if parts.fragment:
        raise ConfigError(f"the URL {shown(url)!r} has a fragment, which has no meaning here; leave out '#' and after")
    if not url.isascii() or any(character <= " " or character == "\x7f" for character in url):
        raise ConfigError(f"the URL {shown(url)!r} holds blanks or non-ASCII characters; percent-encode them")
    return url


def is_http(url: str) -> bool:
    """Whether `url` names a gateway that is asked for a node, rather than a WebSocket endpoint."""
    return urlsplit(url).scheme in ("http", "https")


def is_secure(url: str) -> bool:
    """Whether `url` is spoken to over TLS."""
    return urlsplit(url).scheme in ("https", "wss")


def address_of(url: str) -> tuple[str, int]:
    """Host and port that `url` names, explicitly or by its scheme."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or _DEFAULT_PORT[parts.scheme]


def discovery_url(base: str, **query: str | None) -> str:
    """The URL that asks the gateway at `base` for a node; a path in `base` is where the gateway is mounted."""
    parts = urlsplit(base)
    path = parts.path.rstrip("/")
    asked = SplitResult(_HTTP_SCHEME[parts.scheme], parts.netloc, f"{path}/gateway", parts.query, "")
    return with_query(urlunsplit(asked), **query)


def socket_url(base: str, path: str = "") -> str:
    """`base` as the URL of a WebSocket; `path` stands in where `base` has none."""
    parts = urlsplit(base)
    where = parts.path if parts.path not in ("", "/") else path or "/"
    return urlunsplit((_SOCKET_SCHEME[parts.scheme], parts.netloc, where, parts.query, ""))


def with_query(url: str, **query: str | None) -> str:
    """`url` with each item of `query` set, in place of items of that name; None leaves an item out altogether."""
    parts = urlsplit(url)
    kept = [item for item in parts.query.split("&") if item and unquote_plus(item.partition("=")[0]) not in query]
    added = urlencode({name: value for name, value in query.items() if value is not None})
    return urlunsplit(parts._replace(query="&".join([*kept, added] if added else kept)))


def has_query(url: str, name: str) -> bool:
    """Whether the query of `url` has an item `name`: what a gateway gave for a key is the one that counts."""
    return any(unquote_plus(item.partition("=")[0]) == name for item in urlsplit(url).query.split("&"))
