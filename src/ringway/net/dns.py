"""Questions to name servers, whose answers say for how long they hold.

`net.resolver` finds where to connect to; the C library that it asks gives no time to live and no SRV records. Here
dnspython asks, over UDP and, for long answers, TCP. It is loaded with the first question. /etc/hosts is not read;
search domains are those of /etc/resolv.conf, which is read before each question.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from ringway.core.service_record import ServiceRecord
from ringway.errors import RingwayError

if TYPE_CHECKING:
    from dns.resolver import Answer, NoNameservers

ATTEMPT_S = 2.0
"""The time that one name server has for one attempt."""

R = TypeVar("R")


class NameUnanswered(RingwayError):
    """Nothing was learned about a name; the text says why, as the end of a sentence."""


@dataclass(frozen=True, slots=True)
class DnsAnswer(Generic[R]):
    """The records that a name has, maybe none, and the seconds for which the answer holds."""

    records: tuple[R, ...]
    ttl_s: float


class NameServers:
    """The name servers at `addresses`, with their ports; if empty, the name servers of the system.

    All methods raise `NameUnanswered`, at the latest after `deadline_s`.
    """

    def __init__(self, addresses: Sequence[tuple[str, int]] = (), deadline_s: float = 5.0) -> None:
        self._addresses = addresses
        self._deadline_s = deadline_s

    async def find_ipv4(self, name: str) -> DnsAnswer[str]:
        """Return the IPv4 addresses of `name`."""
        return _addresses_in(await self._ask(name, "A"))

    async def find_ipv6(self, name: str) -> DnsAnswer[str]:
        """Return the IPv6 addresses of `name`."""
        return _addresses_in(await self._ask(name, "AAAA"))

    async def find_services(self, name: str) -> DnsAnswer[ServiceRecord]:
        """Return the SRV records of `name`."""
        answer = await self._ask(name, "SRV")
        records = tuple(
            ServiceRecord(each.priority, each.weight, each.port, each.target.to_text(omit_final_dot=True).strip("."))
            for each in answer.rrset or ()
        )
        return DnsAnswer(records, answer.chaining_result.minimum_ttl)

    async def _ask(self, name: str, kind: str) -> "Answer":
        from dns.asyncresolver import Resolver
        from dns.exception import DNSException, Timeout
        from dns.nameserver import Do53Nameserver
        from dns.resolver import NXDOMAIN, NoNameservers

        try:
            resolver = Resolver(configure=not self._addresses)
            if self._addresses:
                resolver.nameservers = [Do53Nameserver(address, port) for address, port in self._addresses]
            resolver.timeout = ATTEMPT_S
            resolver.lifetime = self._deadline_s
            async with asyncio.timeout(self._deadline_s):
                return await resolver.resolve(name, kind, raise_on_no_answer=False, search=True)
        except NXDOMAIN:
            raise NameUnanswered("the name does not exist (NXDOMAIN)") from None
        except (Timeout, TimeoutError):
            raise NameUnanswered(f"no name server answers within {self._deadline_s:g} s") from None
        except NoNameservers as error:
            raise NameUnanswered(f"the name servers fail ({_reasons(error)})") from None
        except (DNSException, OSError) as error:
            raise NameUnanswered(f"it cannot be looked up ({str(error).rstrip('.') or type(error).__name__})") from None


def _addresses_in(answer: "Answer") -> DnsAnswer[str]:
    return DnsAnswer(tuple(each.address for each in answer.rrset or ()), answer.chaining_result.minimum_ttl)


def _reasons(error: "NoNameservers") -> str:
    """Return what the name servers answered, such as SERVFAIL, or how they failed."""
    found = {str(reason[3]).rstrip(".") for reason in error.kwargs.get("errors", ())}
    return ", ".join(sorted(found)) or "there are none"
