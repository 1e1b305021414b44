"""Keeps pages of other sites from the admin port, through the browser of somebody who can reach it.

The port asks nobody who they are: it is on loopback, or on a network of operators. A browser on that machine reaches it
too, for any page that it shows. Such a page can send simple requests (a form's POST) without being asked, so:

- a request with a body must be `application/json`, which no simple request is: a browser asks first whether another
  site may send it, and gets no consent here;
- a request with an `Origin`, which browsers add, must come from the very host that it goes to;
- and that host must be an address, or localhost: a name could be one of the attacker's own, made to lead here (DNS
  rebinding), and then it is its own origin;
- a port on loopback is not even read under a name that is not known (`protocol.host`): such a page sends no `Origin`
  with what it reads.
"""

from collections.abc import Collection
from ipaddress import ip_address
from typing import Any

from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard

from ringway.protocol.host import host_known, split_host

JSON = "application/json"
WITH_BODY = ("POST", "PUT", "PATCH")


def host_guard(known: Collection[str]) -> Guard:
    """Return what refuses every request whose `Host` is not known on loopback: no address, localhost or in `known`."""

    def guard_host(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        host = connection.headers.get("host", "")
        if not host_known(host, known):
            raise PermissionDeniedException(
                f"the admin port listens on loopback and is not known as {host}, which could belong to anybody; open "
                "it by its address, or list the name in admin.allowed_hosts"
            )

    return guard_host


def guard_changes(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Refuse a request that changes something and may have been written by a page of another site."""
    given = connection.headers.get("content-type", "").partition(";")[0].strip().lower()
    if connection.scope["method"] in WITH_BODY and given != JSON:  # type: ignore[typeddict-item]
        raise HTTPException(
            status_code=415, detail=f"the content type is {given or 'not given'}; send JSON, with Content-Type: {JSON}"
        )
    origin = connection.headers.get("origin")
    if origin is None:
        return
    host = connection.headers.get("host", "")
    if origin.lower().partition("://")[2] != host.lower():
        raise PermissionDeniedException(f"the request comes from a page of {origin}; pages of other sites may not ask")
    if not _is_address(host):
        raise PermissionDeniedException(
            f"a page asks by the name {host}, which could belong to anybody; open it by the address of the admin port"
        )


def _is_address(host: str) -> bool:
    """Return whether `host` (`name[:port]`) names the machine by an address, or as localhost."""
    split = split_host(host)
    if split is None:
        return False
    try:
        ip_address(split[0])
    except ValueError:
        return split[0] == "localhost"
    return True
