"""Guards that keep pages of other sites from the admin port, through the browser of somebody who can reach it.

The port asks nobody who they are: it is on loopback, or on a network of operators. A browser on that machine reaches it
too, for any page that it shows. Such a page can send simple requests (a form's POST) without being asked, so:

- a request with a body must be `application/json`, which no simple request is: a browser asks first whether another
  site may send it, and gets no consent here;
- a request with an `Origin`, which browsers add, must come from the very host that it goes to;
- and that host must be an address, or localhost: a name could be one of the attacker's own, made to lead here (DNS
  rebinding), and then it is its own origin;
- a port on loopback does not even let a request read under a name that is not known (`protocol.host`): such a page
  sends no `Origin` with what it reads.
"""

from collections.abc import Collection
from ipaddress import ip_address

from ringway.admin.operation import JSON, AdminRefusal, AdminRequest, Guard
from ringway.protocol.address import split_host
from ringway.protocol.host import host_known

WITH_BODY = ("POST", "PUT", "PATCH")


def host_guard(known: Collection[str]) -> Guard:
    """Return a guard that accepts addresses, localhost, and the names in `known` as `Host`, and nothing else."""

    def guard_host(request: AdminRequest) -> None:
        host = request.headers.get("host", "")
        if not host_known(host, known):
            raise AdminRefusal(
                403,
                f"the admin port listens on loopback and is not known as {host}, which could belong to anybody; open "
                "it by its address, or list the name in admin.allowed_hosts",
            )

    return guard_host


def guard_changes(request: AdminRequest) -> None:
    """Refuse a request that changes something and may have been written by a page of another site."""
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method in WITH_BODY and given != JSON:
        raise AdminRefusal(415, f"the content type is {given or 'not given'}; send JSON, with Content-Type: {JSON}")
    origin = request.headers.get("origin")
    if origin is None:
        return
    host = request.headers.get("host", "")
    if origin.lower().partition("://")[2] != host.lower():
        raise AdminRefusal(403, f"the request comes from a page of {origin}; pages of other sites may not ask")
    if not _is_address(host):
        raise AdminRefusal(
            403,
            f"a page asks by the name {host}, which could belong to anybody; open it by the address of the admin port",
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
