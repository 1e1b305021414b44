"""Specs of backends that DNS lists: `--backend dns+ws://chat.internal:9000,check=/healthz`.

`dns+ws://` and `dns+wss://` ask for addresses, `dns+srv+ws://` and `dns+srv+wss://` for SRV records. The options are
those of a backend, and `nameserver=`; they hold for all backends of the name.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address

import msgspec

from ringway.core.backend_spec import read_backend
from ringway.errors import ConfigError
from ringway.protocol.address import BadAddress, authority, is_literal, read_host_port, show_host_port, shown
from ringway.protocol.backend import Backend
from ringway.protocol.name import legal_name
from ringway.protocol.server_address import PORTS
from ringway.protocol.weight import bound_weight
from ringway.sources.discovered import split_own

NAMESERVER_PORT = 53

_ADDRESSES = "dns+"
_SERVICES = "dns+srv+"
_NAMESERVER = "nameserver"


@dataclass(frozen=True, slots=True)
class DnsSpec:
    """A name in DNS whose servers are backends.

    `url` names it in messages. `template` has the common fields of its backends. `base` begins their names; empty if
    their names begin with their host. `nameservers` are asked, with their ports; if it is empty, the system's name
    servers.
    """

    url: str
    host: str
    srv: bool
    base: str
    template: Backend
    nameservers: tuple[tuple[str, int], ...] = ()

    @property
    def source(self) -> str:
        """The name of the source, for operators."""
        return f"{self.url},name={self.base}" if self.base else self.url

    def backend_at(self, ip: str, port: int = 0, host: str = "", weight: float = 1.0) -> Backend:
        """Return the backend at an address; an SRV record gives `port`, its target `host`, and `weight`."""
        template = self.template
        address = template.address
        port = port or address.port
        scheme = "wss" if address.tls else "ws"
        host = (host or self.host).removesuffix(".")
        spoken_to = authority(host, port, PORTS[scheme])
        return msgspec.structs.replace(
            template,
            name=legal_name(f"{self.base or host}-{ip.replace(':', '-')}-{port}"),
            url=f"{scheme}://{show_host_port(ip, port)}{address.prefix}",
            weight=bound_weight(template.weight * weight),
            check_host=template.check_host or (template.check and (template.host or spoken_to)),
        )


def is_dns(spec: str) -> bool:
    """Return True if `spec` describes a name in DNS, and not one backend."""
    return spec.lower().startswith(_ADDRESSES)


def read_dns_spec(spec: str) -> DnsSpec:
    """Return the name that `spec` describes; raise `ConfigError` that names every problem in it."""
    url, *options = spec.split(",")
    srv = url.lower().startswith(_SERVICES)
    bare = url[len(_SERVICES if srv else _ADDRESSES) :]
    problems: list[str] = []
    given, rest = split_own(options, (_NAMESERVER,), repr(shown(url)))
    nameservers = _read_nameservers(given.get(_NAMESERVER, ""), url, problems)
    try:
        template = read_backend(",".join([bare, *rest]))
    except ConfigError as error:
        raise ConfigError(*error.problems, *problems) from None
    host = template.address.host.removesuffix(".")
    if is_literal(host):
        problems.append(f"{shown(url)!r} names an address, which is not looked up; leave out {url[: -len(bare)]}")
    if srv and bare.partition("//")[2].partition("/")[0].lower().removesuffix(".") != host:
        problems.append(f"{shown(url)!r} names a port, and SRV records have ports of their own; leave it out")
    if problems:
        raise ConfigError(*problems)
    if template.address.tls and not template.tls_name:
        template = msgspec.structs.replace(template, tls_name=_domain(host) if srv else host)
    named = any(option.partition("=")[0].strip() == "name" for option in rest)
    return DnsSpec(shown(url), template.address.host, srv, template.name if named else "", template, nameservers)


def read_dns_specs(specs: Sequence[str]) -> tuple[DnsSpec, ...]:
    """Return all names of `specs`; raise one `ConfigError` with all problems."""
    problems: list[str] = []
    found: list[DnsSpec] = []
    for spec in specs:
        try:
            found.append(read_dns_spec(spec))
        except ConfigError as error:
            problems += error.problems
    seen: set[tuple[str, int]] = set()
    for each in found:
        key = each.base or each.host, 0 if each.srv else each.template.address.port
        if key in seen:
            problems.append(f"the backends of {each.url!r} would have the names of others; give it one by name=")
        seen.add(key)
    if problems:
        raise ConfigError(*problems)
    return tuple(found)


def _read_nameservers(value: str, url: str, problems: list[str]) -> tuple[tuple[str, int], ...]:
    """Return the name servers in `value`, as `10.0.0.2+10.0.0.3:8600`."""
    found: list[tuple[str, int]] = []
    for text in value.split("+") if value else ():
        try:
            host, port = read_host_port(text.strip(), NAMESERVER_PORT)
            found.append((str(ip_address(host)), port))
        except (BadAddress, ValueError):
            problems.append(
                f"the name server {text!r} of {shown(url)!r} must be an IP address, as 10.0.0.2 or 10.0.0.2:8600"
            )
    return tuple(found)


def _domain(host: str) -> str:
    """Return the domain of a service, without `_service._proto.`: the name in its certificates (RFC 6125, 6.2.1)."""
    labels = host.split(".")
    while labels[1:] and labels[0].startswith("_"):
        labels.pop(0)
    return ".".join(labels)
