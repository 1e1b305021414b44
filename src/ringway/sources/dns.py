"""Name in DNS whose servers are backends: asked for again before its answer becomes too old.

An address that is gone is not offered any more. If no address is left at all, the last good set stays.
"""

import asyncio
from typing import TYPE_CHECKING

from ringway.logger import get_logger
from ringway.net.dns import NameServers
from ringway.sources.dns_round import Answers, DnsRound
from ringway.sources.dns_spec import DnsSpec
from ringway.sources.sink import BackendSink, Offer
from ringway.types import NodeName

if TYPE_CHECKING:
    from random import Random

_log = get_logger()


class DnsSource:
    """The backends of one name, reported to `sink`. `run` it as a task; it ends when it is cancelled.

    `rng` spreads the questions of many gateways over time.
    """

    def __init__(self, spec: DnsSpec, sink: BackendSink, rng: "Random", servers: NameServers | None = None) -> None:
        self._spec = spec
        self._sink = sink
        self._rng = rng
        self._servers = servers or NameServers(spec.nameservers)
        self.name = spec.source
        self._answers: Answers = {}
        self._offers: dict[NodeName, Offer] = {}
        self._told = ""  # the problem that was logged
        self.asked = asyncio.Event()
        """Set when the first questions were answered, or failed."""
        self._hangup = asyncio.Event()

    async def run(self) -> None:
        """Ask again and again, until cancelled."""
        while True:
            asking = DnsRound(self._spec, self._servers, self._answers)
            offers = await asking.find_offers()
            self._answers = asking.answers
            self._tell(offers, asking.problems)
            self.asked.set()
            try:
                async with asyncio.timeout(asking.age_s * self._rng.uniform(0.9, 1.0)):
                    await self._hangup.wait()
            except TimeoutError:
                continue
            self._hangup.clear()

    def on_hangup(self) -> None:
        """Ask at once."""
        self._hangup.set()

    def _tell(self, offers: dict[NodeName, Offer], problems: list[str]) -> None:
        if offers and offers != self._offers:
            self._offers = offers
            self._sink.update(self.name, offers)
        problem = "; ".join(problems)
        if not offers and not problem:
            kind = "SRV records" if self._spec.srv else "addresses"
            problem = f"{self._spec.host} has no {kind} that can be used"
        if problem == self._told:
            return
        self._told = problem
        if problem:
            problem += "; check the name and its name servers, or name others by nameserver="
            _log.error(
                "backends cannot be looked up; the last good answers stay",
                source=self.name, why=problem, backends=len(self._offers),
            )  # fmt: skip
        else:
            _log.info("backends can be looked up again", source=self.name)
        self._sink.report_problem(self.name, problem)
