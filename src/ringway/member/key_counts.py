"""Counts of the clients whose keys other nodes own, for the report (PROTOCOL.md P-9.10).

The leading gateway's report names the version of owners by which nodes must count. A member that does not know that
version asks the leader for it, with a delay that grows with the number of nodes. It counts in slices, again and again
until no report names a version any more. Clients that were sent away since a count are subtracted from it.
"""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Generic

from ringway.core.hashing import TABLES
from ringway.errors import EngineError, ProtocolError
from ringway.logger import get_logger
from ringway.member.feed import Feed
from ringway.member.holder import C
from ringway.member.leader_call import call_owners
from ringway.member.selection import MoveSelection
from ringway.member.sent_moves import SentMoves
from ringway.ports import Bus
from ringway.protocol.close import BAD_REQUEST
from ringway.protocol.owners import Owners, OwnersRequest, read_owners
from ringway.protocol.report import Report
from ringway.tasks import Tasks
from ringway.types import NodeName

AGAIN_S = 1.0
"""The pause between two counts, and after a failure."""

SPREAD_S = 0.001
"""For each node of the cluster, the longest delay of a question for owners: a leader gets 1,000 a second at most."""

SPREAD_S_MAX = 5.0

KEPT = 4
"""Versions of owners that are kept: orders name them."""

ANSWER_S = 2.0

_log = get_logger()


def owners_for_nodes(leader: Report) -> str:
    """Return the version of owners by which channel nodes are to count, by the leader's report."""
    return leader.owners


class KeyCounts(Generic[C]):
    """The counts of one member. `clock` is monotonic. `wanted` reads the version to count by in a report."""

    def __init__(
        self,
        bus: Bus,
        feed: Feed,
        selection: MoveSelection[C],
        sent: SentMoves,
        clock: Callable[[], float],
        rng: Random,
        wanted: Callable[[Report], str] = owners_for_nodes,
    ) -> None:
        self._wanted = wanted
        self.counted = ""
        """The version of owners by which the member has counted; empty: no count is wanted, or it has not ended."""
        self._bus = bus
        self._feed = feed
        self._selection = selection
        self._sent = sent
        self._clock = clock
        self._rng = rng
        self._known: dict[str, Owners] = {}
        self._counts: dict[NodeName, int] = {}
        self._sent_before: dict[NodeName, int] = {}
        self._due_at = 0.0
        self._problem = ""  # of the last question; logged once
        self._tasks = Tasks()

    def misplaced(self) -> dict[NodeName, int]:
        """Return the present number of clients with keys of each other node."""
        sent = self._sent.moved
        left = {
            owner: count - max(0, sent.get(owner, 0) - self._sent_before.get(owner, 0))
            for owner, count in self._counts.items()
        }
        return {owner: count for owner, count in left.items() if count > 0}

    def owners(self, version: str) -> Owners | None:
        """Return the owners of `version`; None if the member does not know them (any more)."""
        return self._known.get(version)

    def tick(self) -> None:
        """Follow the version that the leader reports; call it a few times a second."""
        leader = self._leader()
        wanted = self._wanted(leader) if leader is not None else ""
        if wanted != self.counted:
            self.counted, self._counts = "", {}
        now = self._clock()
        if leader is not None and not self._tasks and (self._due_at <= now or wanted not in self._known):
            self._due_at = now + AGAIN_S
            self._tasks.spawn(self._count(wanted, leader.nodes), name="count of misplaced keys")

    async def stop(self) -> None:
        """Stop counting."""
        await self._tasks.aclose()

    def _leader(self) -> Report | None:
        """Return the report of the leading gateway, if the member is to count."""
        for report in self._feed.gateways.values():
            if report.leading and self._wanted(report):
                return report
        return None

    async def _count(self, version: str, nodes: int) -> None:
        try:
            owners = self._known.get(version) or await self._fetch(version, nodes)
        except (EngineError, ProtocolError) as error:
            if self._problem != str(error):
                _log.warning("the owners of keys were not told; they are asked for again", error=str(error))
            self._problem = str(error)
            self._due_at = self._clock() + AGAIN_S
            return
        self._problem = ""
        counts = await self._selection.count_misplaced(owners)
        self.counted, self._counts = version, counts
        self._sent_before = dict(self._sent.moved)
        self._due_at = self._clock() + AGAIN_S

    async def _fetch(self, version: str, nodes: int) -> Owners:
        """Ask the leader for the owners of `version`. Raise `EngineError` or `ProtocolError`."""
        await asyncio.sleep(self._rng.uniform(0.0, min(SPREAD_S_MAX, SPREAD_S * nodes)))
        have = next(reversed(self._known), "")
        answer = await call_owners(self._bus, OwnersRequest(version=version, have=have), ANSWER_S)
        owners = read_owners(answer, self._known.get(have))
        if owners.table not in TABLES:
            known = ", ".join(TABLES)
            problem = f"the table {owners.table!r} is unknown; there are {known}: give gateways and nodes one release"
            raise ProtocolError(BAD_REQUEST, problem)
        if not any(weight > 0 for weight in owners.weights.values()):
            raise ProtocolError(BAD_REQUEST, "no node owns keys; give one node a positive weight at least")
        self._known[answer.version] = owners
        if len(self._known) > KEPT:
            del self._known[next(iter(self._known))]
        return owners
