"""Holding of gateways: shares of backends, and the state that all gateways agree on."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest

from ringway.errors import NoAnswer
from ringway.gateway.backends import holding as module
from ringway.protocol.order import NodeConsent, SetState, decode_node_answer, encode, held_address
from ringway.types import Issuer, NodeName, NodeState
from unit.gateway.backends.kit import A, B, Cluster, backend, offers

ACTIVE, DRAINING = NodeState.ACTIVE, NodeState.DRAINING


@pytest.fixture
async def two() -> AsyncIterator[Cluster]:
    cluster = Cluster(gateways=2)
    yield cluster
    await cluster.stop()


def offer(cluster: Cluster, *backends, **facts) -> None:
    for gateway in cluster.gateways:
        gateway.holding.book.update("file", offers(*backends, **facts))


async def test_a_backend_that_drains_from_its_first_offer_is_eligible_at_no_gateway(two):
    one, other = two.gateways
    seen = []
    for gateway in two.gateways:
        gateway.directory.listen(lambda event, of=gateway: seen.append(list(of.eligible)))
    one.holding.book.update("file", offers(backend(), draining=True, within_s=20.0))
    for _ in range(3):
        two.report()
    assert (one.state(), other.state()) == (DRAINING, DRAINING)
    assert seen
    assert not any(seen), "not for one moment"
    assert one.directory.groups.nodes[A].report.drain_left_s == 20.0


async def test_a_backend_that_drains_and_changes_its_url_drains_as_another_server(two):
    one, _ = two.gateways
    one.holding.book.update("file", offers(backend(), draining=True))
    two.report()
    one.holding.book.update("file", offers(backend(port=2), draining=True))
    for _ in range(2):
        two.report()
    assert [gateway.state() for gateway in two.gateways] == [DRAINING, DRAINING]
    assert [gateway.directory.groups.nodes[A].incarnation for gateway in two.gateways] == [
        backend(port=2).incarnation
    ] * 2


async def test_a_backend_that_is_offered_is_eligible_where_it_is_only_heard_of(two):
    one, other = two.gateways
    one.holding.book.update("file", offers(backend(), backend(B)))
    two.report()
    assert other.eligible == [A, B]
    assert not other.holding.claims()
    assert other.holding.shares().keys() == {A, B}


async def test_the_counts_of_all_gateways_are_added_up(two):
    offer(two, backend())
    two.report()
    for gateway, count in zip(two.gateways, (3, 4), strict=True):
        gateway.relays.open(backend(), count)
        node = gateway.directory.groups.nodes[A]
        for _ in range(count):
            gateway.holding.on_arrival(node, held=True)
    two.report()
    for gateway in two.gateways:
        report = gateway.directory.groups.nodes[A].report
        assert (report.connections, report.accepted) == (7, 7)
        assert report.taken == {Issuer("00000001"): 3, Issuer("00000002"): 4}
        assert report.holders == ("gateway-1", "gateway-2")


async def test_an_arrival_at_an_earlier_incarnation_does_not_count(two):
    one, _ = two.gateways
    offer(two, backend())
    two.report()
    before = one.directory.groups.nodes[A]
    offer(two, backend(port=2))
    two.report()
    one.holding.on_arrival(before, held=False)
    assert one.holding.shares()[A].accepted == 0


async def test_an_order_at_one_gateway_is_followed_by_the_others_and_the_newest_counts(two):
    one, other = two.gateways
    offer(two, backend())
    two.report()
    await _set_state(one, draining=True, within_s=30.0)
    two.report(one)
    assert other.holding.shares()[A].state is DRAINING
    assert other.holding.shares()[A].drain_left_s == 30.0
    await _set_state(other, draining=False)
    two.report()
    assert [gateway.holding.shares()[A].state for gateway in two.gateways] == [ACTIVE, ACTIVE]
    assert [gateway.holding.shares()[A].version for gateway in two.gateways] == [2, 2]


async def test_a_late_report_of_an_older_state_changes_nothing(two):
    one, other = two.gateways
    offer(two, backend())
    two.report()
    await _set_state(one, draining=True)
    stale = other.report()  # from before it heard of the drain
    one.directory.feed.add_report(stale)
    assert one.holding.shares()[A].state is DRAINING


async def test_of_two_changes_at_the_same_time_the_drain_counts_everywhere(two):
    one, other = two.gateways
    offer(two, backend())
    two.report()
    await _set_state(one, draining=True)
    await _set_state(other, draining=False)
    for _ in range(2):
        two.report()
    assert [gateway.holding.shares()[A].state for gateway in two.gateways] == [DRAINING, DRAINING]


async def test_a_gateway_that_starts_later_takes_over_a_drain_with_its_deadline(two):
    offer(two, backend())
    two.report()
    await _set_state(two.gateways[0], draining=True, within_s=30.0)
    two.report()
    late = two.add_gateway()
    late.holding.book.update("file", offers(backend()))
    two.now += 10
    two.report()
    share = late.holding.shares()[A]
    assert (share.state, share.drain_left_s) == (DRAINING, 20.0)
    assert A not in late.eligible


async def test_a_gateway_that_starts_later_does_not_renew_a_drain_that_was_taken_back(two):
    offer(two, backend(), draining=True)
    two.report()
    await _set_state(two.gateways[0], draining=False)
    for _ in range(2):
        two.report()
    late = two.add_gateway()
    late.holding.book.update("file", offers(backend(), draining=True))
    for _ in range(2):
        two.report()
    assert [gateway.state() for gateway in two.gateways] == [ACTIVE] * 3


async def test_the_share_of_a_gateway_that_is_lost_counts_no_more(two):
    one, other = two.gateways
    offer(two, backend())
    for gateway in two.gateways:
        gateway.relays.open(backend(), 5)
    two.report()
    two.report()
    assert one.directory.groups.nodes[A].connections == 10
    two.lose(other)
    assert one.directory.groups.nodes[A].connections == 5
    assert one.directory.groups.nodes[A].report.holders == ("gateway-1",)


async def test_a_backend_is_held_until_no_gateway_claims_it(two):
    one, other = two.gateways
    one.holding.book.update("file", offers(backend()))
    two.report()
    one.holding.book.update("file", {}, lost=[A])
    two.report()
    assert not other.holding.shares()
    assert A not in other.directory.groups.nodes


async def test_what_changed_since_the_report_is_news(two):
    one, _ = two.gateways
    one.holding.book.update("file", offers(backend()))
    assert one.holding.has_news(), "a claim"
    two.report()
    assert one.holding.has_news(), "it is held now"
    two.report()
    assert not one.holding.has_news()
    one.relays.open(backend(), 5)
    assert one.holding.has_news(), "connections"
    two.report()
    await _set_state(one, draining=True)
    assert one.holding.has_news(), "a state"


async def test_a_place_at_the_target_is_held_until_its_client_came(two):
    one, _ = two.gateways
    offer(two, backend(), backend(B))
    two.report()
    one.holding.on_sent(one.directory.groups.nodes[A], B, 10.0)
    share = one.holding.shares()[A]
    assert (share.moved, share.reserved) == ({B: 1}, {B: 1})
    one.holding.release(A, B)
    share = one.holding.shares()[A]
    assert (share.moved, share.reserved) == ({B: 1}, {})
    one.holding.on_outcome(B, "reconnected")
    assert one.holding.shares()[B].reconnected == 1


async def _set_state(gateway, *, draining: bool, within_s: float = 0.0) -> None:
    """Let an operator set the state of A at this gateway alone."""
    request, address = encode(SetState(draining=draining, within_s=within_s)), held_address(gateway.name, A)
    async with asyncio.timeout(30):
        while True:
            try:
                answer = await gateway.engine.bus.call(address, request, timeout_s=1.0)
                break
            except NoAnswer:  # it does not serve yet
                await asyncio.sleep(0.01)
    assert decode_node_answer(answer) == NodeConsent()


async def test_shares_that_are_collected_over_several_turns_are_those_of_one_report(monkeypatch):
    monkeypatch.setattr(module, "SHARES_A_TURN", 2)
    cluster = Cluster()
    [gateway] = cluster.gateways
    many = [backend(NodeName(f"b{number}")) for number in range(7)]
    gateway.holding.book.update("file", offers(*many))
    cluster.report()
    gateway.relays.open(many[3], 4)
    turns: list[int] = []

    async def watch() -> None:
        while True:
            turns.append(len(turns))
            await asyncio.sleep(0)

    watching = asyncio.ensure_future(watch())
    collected = await gateway.holding.collect_shares()
    watching.cancel()
    assert len(turns) >= 3, "others have turns in between"
    assert collected == gateway.holding.shares()
    assert collected[many[3].name].connections == 4
    assert not gateway.holding.has_news()
    await cluster.stop()


async def test_the_share_of_a_backend_without_connections_is_made_once_until_it_changes(two):
    offer(two, backend())
    two.report()
    one = two.gateways[0]
    idle = one.holding.shares()[A]
    assert one.holding.shares()[A] is idle
    one.relays.open(backend(), 1)
    assert one.holding.shares()[A].connections == 1
    one.relays.at.clear()
    assert one.holding.shares()[A] == idle
    one.holding.on_arrival(one.directory.groups.nodes[A], held=True)
    assert (one.holding.shares()[A].accepted, one.holding.shares()[A].taken) == (1, {Issuer(one.incarnation): 1})
    one.holding.on_sent(one.directory.groups.nodes[A], B, 10.0)
    assert one.holding.shares()[A].moved == {B: 1}
    one.holding.on_outcome(A, "lost")
    assert one.holding.shares()[A].lost == 1
    one.holding.book.update("file", {})
    assert one.holding.shares()[A].state is DRAINING


async def test_time_passes_for_some_backends_in_each_turn_of_the_loop(monkeypatch):
    monkeypatch.setattr(module, "TICKS_A_TURN", 2)
    cluster = Cluster()
    [gateway] = cluster.gateways
    many = [backend(NodeName(f"b{number}")) for number in range(7)]
    gateway.holding.book.update("file", offers(*many))
    cluster.report()
    for each in many:
        gateway.holding.on_sent(gateway.directory.groups.nodes[each.name], B, 10.0)
    cluster.now += 1000.0
    gateway.holding.tick()

    def left() -> int:
        return sum(bool(share.moved) for share in gateway.holding.shares().values())

    assert left() == 5
    turns = [left() for _ in range(5) if not await asyncio.sleep(0)]
    assert turns[-1] == 0
    assert max(before - after for before, after in itertools.pairwise([5, *turns])) == 2
    await cluster.stop()
