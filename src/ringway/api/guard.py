"""Guards of an API port against pages of other sites, which reach it through the browser of an operator.

A port on loopback may not authenticate its callers. A browser on such a machine can reach it for any page that it
shows. Such a page can send simple requests (a form's POST) without permission, so:

- a request with a body, or with a content type, must be `application/json`, which no simple request is: the browser
  first asks for permission to send it, and gets none here. A form always has another content type;
- a request with an `Origin` header, which browsers add to all but GET and HEAD (Fetch standard, 3.2), must come from
  the same host that it goes to; one with `Sec-Fetch-Site` (Fetch Metadata) from the same origin, or from no page;
- that host must be an address, or localhost: a name could belong to the attacker, lead here (DNS rebinding), and so be
  its own origin;
- a port on loopback also refuses reads under an unknown name (`protocol.host`): such a page sends no `Origin` when it
  reads.
"""

from collections.abc import Collection
from ipaddress import ip_address

from ringway.api.operation import JSON, ApiRefusal, ApiRequest, Guard
from ringway.protocol.address import split_host
from ringway.protocol.host import host_known

WITH_BODY = ("POST", "PUT", "PATCH")

OWN_SITES = ("same-origin", "none")
"""Values of `Sec-Fetch-Site` for a request that no page of a different origin has sent."""


def host_guard(known: Collection[str], port: str, section: str) -> Guard:
    """Return a guard that accepts only addresses, localhost, and the names in `known` as `Host`."""

    def guard_host(request: ApiRequest) -> None:
        host = request.headers.get("host", "")
        if not host_known(host, known):
            raise ApiRefusal(
                403,
                f"the {port} listens on loopback and is not known as {host}, which could belong to anybody; open "
                f"it by its address, or list the name in {section}.allowed_hosts",
            )

    return guard_host


def guard_changes(request: ApiRequest) -> None:
    """Refuse a changing request that a page of a different site may have sent."""
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method in WITH_BODY and given != JSON and (request.body or given):
        raise ApiRefusal(415, f"the content type is {given or 'not given'}; send JSON, with Content-Type: {JSON}")
    guard_origin(request)


def guard_origin(request: ApiRequest) -> None:
    """Refuse a request that the page of a different site has sent, whatever else it proves."""
    site = request.headers.get("sec-fetch-site", "none").strip().lower()
    if site not in OWN_SITES:
        raise ApiRefusal(403, f"the request comes from a page of a different site (Sec-Fetch-Site: {site[:20]})")
    origin = request.headers.get("origin")
    if origin is None:
        return
    host = request.headers.get("host", "")
    if origin.lower().partition("://")[2] != host.lower():
        raise ApiRefusal(403, f"the request comes from a page of {origin}; pages of other sites may not ask")
    if not _is_address(host):
        raise ApiRefusal(
            403,
            f"a page asks by the name {host}, which could belong to anybody; open it by the address of the port",
        )


def _is_address(host: str) -> bool:
    """Return true if `host` (`name[:port]`) names the machine by an address, or as localhost."""
    split = split_host(host)
    if split is None:
        return False
    try:
        ip_address(split[0])
    except ValueError:
        return split[0] == "localhost"
    return True
