"""URLs of a client: checks, and the URLs that are derived from a given one. Pure.

A gateway is named by `http(s)://` (ask it for a node) or by `ws(s)://` (connect to it as it is). Tickets and keys
travel in the query, so messages show URLs without it.
"""

from urllib.parse import SplitResult, unquote_plus, urlencode, urlsplit, urlunsplit

from ringway.protocol.address import read_url

_SOCKET_SCHEME = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
_HTTP_SCHEME = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
_USUAL_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_FORM = "give one like http://127.0.0.1:8000"


def check_url(url: str) -> str:
    """Return `url` if a client can use it; raise `ConfigError` that names the problem."""
    read_url(url, _USUAL_PORTS, _FORM, "use additional_headers")
    return url


def is_http(url: str) -> bool:
    """True if `url` names a gateway that is asked for a node, rather than a WebSocket endpoint."""
    return urlsplit(url).scheme in ("http", "https")


def is_secure(url: str) -> bool:
    """True if `url` requires TLS."""
    return urlsplit(url).scheme in ("https", "wss")


def address_of(url: str) -> tuple[str, int]:
    """Host and port of `url`, explicitly or by its scheme."""
    parts = read_url(url, _USUAL_PORTS, _FORM)
    return parts.host, parts.port


def discovery_url(base: str, **query: str | None) -> str:
    """Return the URL that asks the gateway at `base` for a node; the gateway is mounted at the path of `base`."""
    parts = urlsplit(base)
    path = parts.path.rstrip("/")
    asked = SplitResult(_HTTP_SCHEME[parts.scheme], parts.netloc, f"{path}/gateway", parts.query, "")
    return with_query(urlunsplit(asked), **query)


def socket_url(base: str, path: str = "") -> str:
    """Return `base` as the URL of a WebSocket, with `path` if `base` has no path."""
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
    """True if the query of `url` has an item `name`: a key from a gateway overrides the client's."""
    return any(unquote_plus(item.partition("=")[0]) == name for item in urlsplit(url).query.split("&"))
