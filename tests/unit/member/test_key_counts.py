"""Counts of misplaced keys, by the word of a leader that exists in name only; in fake time."""

import asyncio
from collections.abc import Callable
from random import Random

import pytest

import ringway.member.key_counts as module
from ringway.core.hashing.rendezvous import RendezvousTable
from ringway.engine.memory.engine import MemoryHub
from ringway.member.drain import Drain
from ringway.member.feed import Feed
from ringway.member.key_counts import KEPT, KeyCounts
from ringway.member.selection import MoveSelection
from ringway.member.sent_moves import SentMoves
from ringway.protocol.order import BALANCER, decode_balancer_request, encode
from ringway.protocol.owners import Owners, OwnersAnswer, OwnersRequest, answer_with, version_of
from ringway.testing.clock import run_in_fake_time
from ringway.types import NodeName
from sample import gateway_report
from support.log_capture import capture_logs
from unit.member.fake_holder import FakeConnection, FakeHolder

N1, N2, N3 = NodeName("n1"), NodeName("n2"), NodeName("n3")
ALL = Owners(table="rendezvous", weights={N1: 1.0, N2: 1.0, N3: 1.0})
FEWER = Owners(table="rendezvous", weights={N1: 1.0, N3: 1.0})


class Counting:
    """A member that counts, and its leader."""

    def __init__(self) -> None:
        clock = asyncio.get_running_loop().time
        self.hub = MemoryHub(clock)
        self.holder = FakeHolder([FakeConnection(b"k%d" % number) for number in range(900)])
        self.feed = Feed(clock=clock)
        self.sent = SentMoves(clock)
        self.asked: list[OwnersRequest] = []
        self.owners = {version_of(owners): owners for owners in (ALL, FEWER)}
        selection = MoveSelection(N1, self.holder, Drain(0.0), b"", idle_after_s=0.0, oldest_first=True, clock=clock)
        self.counts: KeyCounts[FakeConnection] = KeyCounts(
            self.hub.open().bus, self.feed, selection, self.sent, clock, Random(1)
        )
        self._seq = 0

    async def serve(self) -> None:
        await self.hub.open().bus.serve(BALANCER, self._answer)

    async def _answer(self, raw: bytes) -> bytes:
        request = decode_balancer_request(raw)
        assert isinstance(request, OwnersRequest)
        self.asked.append(request)
        owners = self.owners.get(request.version)
        known = self.owners.get(request.have)
        return encode(OwnersAnswer() if owners is None else answer_with(owners, request.version, known, request.have))

    def tell(self, version: str, *, leading: bool = True, nodes: int = 3) -> None:
        self._seq += 1
        self.feed.add_report(gateway_report("g1", self._seq, leading=leading, owners=version, nodes=nodes))

    async def pass_s(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.25)):
            self.counts.tick()
            await asyncio.sleep(0.25)

    def expected(self, owners: Owners) -> dict[NodeName, int]:
        table = RendezvousTable(owners.weights)
        whose = [table.owner(connection.key) for connection in self.holder.usable_connections()]
        return {owner: whose.count(owner) for owner in (N2, N3) if owner in whose}


def play(scene: Callable[[Counting], object]) -> None:
    async def main() -> None:
        counting = Counting()
        await counting.serve()
        await scene(counting)  # type: ignore[misc]
        await counting.counts.stop()

    run_in_fake_time(main())


def test_it_counts_by_the_owners_that_the_leader_names() -> None:
    async def scene(member: Counting) -> None:
        member.tell(version_of(ALL))
        await member.pass_s(1)
        assert member.counts.counted == version_of(ALL)
        assert member.counts.misplaced() == member.expected(ALL)
        member.tell(version_of(FEWER))
        await member.pass_s(1)
        assert member.counts.misplaced() == member.expected(FEWER)
        assert [request.have for request in member.asked] == ["", version_of(ALL)], "only the difference is asked for"

    play(scene)


def test_it_counts_nothing_while_no_leader_says_so() -> None:
    async def scene(member: Counting) -> None:
        await member.pass_s(1)
        member.tell(version_of(ALL), leading=False)
        await member.pass_s(2)
        assert not member.asked
        member.tell(version_of(ALL))
        await member.pass_s(1)
        member.tell("")
        await member.pass_s(0.25)
        assert (member.counts.counted, member.counts.misplaced()) == ("", {})

    play(scene)


def test_clients_that_were_sent_away_count_no_more_and_newcomers_with_the_next_count() -> None:
    async def scene(member: Counting) -> None:
        member.sent.count_move(N2)  # long ago
        member.tell(version_of(ALL))
        await member.pass_s(0.5)
        before = member.counts.misplaced()
        for _ in range(3):
            member.sent.count_move(N2)
        assert member.counts.misplaced() == {**before, N2: before[N2] - 3}
        member.holder.connections = member.holder.connections[:100]
        await member.pass_s(3)
        assert member.counts.misplaced() == member.expected(ALL)

    play(scene)


def test_what_the_leader_does_not_know_is_asked_for_again() -> None:
    async def scene(member: Counting) -> None:
        late = Owners(table="rendezvous", weights={N1: 1.0, N2: 5.0})
        member.tell(version_of(late))
        with capture_logs() as logs:
            await member.pass_s(2)
        assert member.counts.counted == ""
        assert len(logs) == 1, "it is said once"
        member.owners[version_of(late)] = late
        await member.pass_s(3)
        assert member.counts.misplaced() == member.expected(late)

    play(scene)


@pytest.mark.parametrize(
    "owners",
    [
        Owners(table="modulo", weights={N1: 1.0}),
        Owners(table="ring", weights={}),
        Owners(table="ring", weights={N1: 0.0}),
    ],
    ids=["unknown table", "nobody", "no weight"],
)
def test_owners_by_which_nothing_can_be_counted_are_refused(owners: Owners) -> None:
    async def scene(member: Counting) -> None:
        member.owners[version_of(owners)] = owners
        member.tell(version_of(owners))
        await member.pass_s(2)
        assert member.counts.counted == ""
        assert member.counts.owners(version_of(owners)) is None

    play(scene)


def test_orders_may_name_the_newest_versions() -> None:
    async def scene(member: Counting) -> None:
        told = [Owners(table="rendezvous", weights={N1: float(weight)}) for weight in range(1, KEPT + 3)]
        for owners in told:
            member.owners[version_of(owners)] = owners
            member.tell(version_of(owners))
            await member.pass_s(1.5)
        assert member.counts.owners(version_of(told[-1])) == told[-1]
        assert [owners for owners in told if member.counts.owners(version_of(owners))] == told[-KEPT:]

    play(scene)


def test_a_thousand_nodes_do_not_ask_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(member: Counting) -> None:
        monkeypatch.setattr(module, "SPREAD_S", 1.0)
        member.tell(version_of(ALL), nodes=1000)
        await member.pass_s(0.5)
        assert not member.asked
        await member.pass_s(module.SPREAD_S_MAX)
        assert len(member.asked) == 1

    play(scene)
