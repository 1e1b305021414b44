"""Which pages may open a connection: the Origin rule (PROTOCOL.md P-2.6), against cross-site hijacking.

A browser always sends `Origin`; other programs need not. A request without it is allowed, since nothing here
trusts a cookie.
"""

from collections.abc import Collection

ANY = "*"


def origin_allowed(origin: str | None, host: str, allowed: Collection[str]) -> bool:
    """Whether a page of `origin` may connect to a server that was addressed as `host` (`name[:port]`).

    Allowed are: no origin, the same host and port, an origin listed in `allowed` (`https://app.example:8443`,
    compared whole and without case), or any where `allowed` holds "*".
    """
    if origin is None or ANY in allowed:
        return True
    scheme, separator, authority = origin.lower().partition("://")
    if not separator or scheme not in ("http", "https") or not authority or authority.strip("/") != authority:
        return False
    default = ":80" if scheme == "http" else ":443"
    if authority.removesuffix(default) == host.lower().removesuffix(default):
        return True
    return any(origin.lower() == entry.lower().rstrip("/") for entry in allowed)
