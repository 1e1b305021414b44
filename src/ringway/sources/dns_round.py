"""One round of questions about a name in DNS, and the backends that it finds.

Each question (the SRV records of the name, the IPv4 and the IPv6 addresses of each host) keeps its last good answer: a
question without an answer removes no backend.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from ipaddress import ip_address
from typing import Any, TypeVar

from ringway.core.service_record import weigh_records
from ringway.net.dns import DnsAnswer, NameServers, NameUnanswered
from ringway.protocol.backend import Backend, problems_of
from ringway.sources.dns_spec import DnsSpec
from ringway.sources.sink import Offer
from ringway.types import NodeName

AGE_MIN_S = 1.0
AGE_MAX_S = 300.0
"""The time after which a name is asked for again: the time to live of its answers, within these bounds."""

RETRY_S = 2.0
"""The longest time until the next round, if a question was not answered or there is no backend."""

QUESTIONS_MAX = 16
"""The questions that are asked at one time; the others wait."""

PROBLEMS_MAX = 3
"""The number of problems that are named; a hundred targets can fail for one reason."""

IPV4, IPV6, SRV = "IPv4 addresses", "IPv6 addresses", "SRV records"
"""The kinds of records, as messages name them."""

Answers = dict[tuple[str, str], DnsAnswer[Any]]
"""The last good answer by name and kind of record."""

R = TypeVar("R")


class DnsRound:
    """One round. `before` are the last good answers of earlier rounds, `answers` those with this round's."""

    def __init__(self, spec: DnsSpec, servers: NameServers, before: Answers) -> None:
        self._spec = spec
        self._servers = servers
        self._before = before
        self.answers: Answers = {}
        self._problems: set[str] = set()
        self._unanswered: dict[tuple[str, str], str] = {}  # the reason, by name and kind of record
        self._empty = True
        self._ttl_s = AGE_MAX_S
        self._places = asyncio.Semaphore(QUESTIONS_MAX)

    @property
    def problems(self) -> list[str]:
        """The questions without an answer, with the reasons, always in the same order."""
        problems = set(self._problems)
        for (name, what), why in self._unanswered.items():
            both = what != SRV and all(self._unanswered.get((name, each)) == why for each in (IPV4, IPV6))
            problems.add(f"the {'addresses' if both else what} of {name}: {why}")
        further = len(problems) - PROBLEMS_MAX
        named = sorted(problems)[:PROBLEMS_MAX]
        return [*named, f"and {further} more"] if further > 0 else named

    @property
    def age_s(self) -> float:
        """The seconds after which the next round is due."""
        most = RETRY_S if self._unanswered or self._empty else AGE_MAX_S
        return max(AGE_MIN_S, min(self._ttl_s, most))

    async def find_offers(self) -> dict[NodeName, Offer]:
        """Ask, and return the backends by name."""
        backends = await self._find_services() if self._spec.srv else await self._find_addresses()
        offers = {backend.name: Offer(backend) for backend in backends if self._is_usable(backend)}
        self._empty = not offers
        return offers

    def _is_usable(self, backend: Backend) -> bool:
        """Return True if `backend`, as the records describe it, follows the rules: the target of a service can be any
        text."""
        problems = problems_of(backend)
        self._problems.update(problems)
        return not problems

    async def _find_addresses(self) -> Iterable[Backend]:
        return [self._spec.backend_at(ip) for ip in await self._addresses_of(self._spec.host)]

    async def _find_services(self) -> Iterable[Backend]:
        spec = self._spec
        weights = weigh_records(await self._ask(spec.host, SRV, self._servers.find_services))
        hosts = sorted({record.target for record in weights})
        found = dict(zip(hosts, await asyncio.gather(*map(self._addresses_of, hosts)), strict=True))
        return [
            spec.backend_at(ip, record.port, record.target, weight)
            for record, weight in weights.items()
            for ip in found[record.target]
        ]

    async def _addresses_of(self, host: str) -> list[str]:
        v4, v6 = await asyncio.gather(
            self._ask(host, IPV4, self._servers.find_ipv4),
            self._ask(host, IPV6, self._servers.find_ipv6),
        )
        return [ip for ip in (*v4, *v6) if self._is_of_server(host, ip)]

    def _is_of_server(self, host: str, ip: str) -> bool:
        """Return True if `ip` can be the address of a server. A connection to 0.0.0.0 leads to this machine."""
        address = ip_address(ip)
        if not (address.is_unspecified or address.is_multicast):
            return True
        why = "which is no server's address; name servers that block names answer so"
        self._problems.add(f"{host} was answered with {ip}, {why}")
        return False

    async def _ask(self, name: str, what: str, ask: Callable[[str], Awaitable[DnsAnswer[R]]]) -> tuple[R, ...]:
        """Return the records of the answer, or of the last good answer."""
        try:
            async with self._places:
                answer = await ask(name)
        except NameUnanswered as error:
            self._unanswered[name, what] = str(error)
            if (name, what) not in self._before:
                return ()
            answer = self._before[name, what]
        self._ttl_s = min(self._ttl_s, answer.ttl_s)
        self.answers[name, what] = answer
        return answer.records
