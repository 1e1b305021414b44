"""Backends as nodes: what is added up from the reports of gateways."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringway.core.held_nodes import DOUBT_S, ORPHANED_S, GroupDispute, HeldChange, HeldNodes, split_moves
from ringway.protocol.backend import Backend
from ringway.protocol.backend_share import BackendClaim, BackendShare
from ringway.protocol.report import Report
from ringway.types import Incarnation, Issuer, NodeName, NodeState, Role

A, B = NodeName("a"), NodeName("b")
G1, G2 = NodeName("g1"), NodeName("g2")


class Nodes(HeldNodes):
    """Held nodes whose changes are read as soon as it is known whom they concern."""

    def on_report(self, gateway: Report) -> HeldChange:
        return self.read_changes(super().on_report(gateway))

    def on_left(self, gateway: NodeName, now: float) -> HeldChange:
        return self.read_changes(super().on_left(gateway, now))

    def tick(self, now: float, *, engine_up: bool = True) -> HeldChange:
        return self.read_changes(super().tick(now, engine_up=engine_up))


def backend(name: NodeName = A, **facts) -> Backend:
    return Backend(name=name, url=f"ws://127.0.0.1:1/{name}", **facts)


def gateway(
    name: NodeName, *backends: Backend, since: float = 1.0, lease_s: float = 0.0, life: str = "0", **held: BackendShare
) -> Report:
    return Report(
        name=name,
        incarnation=Incarnation(f"{life}000000{name[-1]}"),
        role=Role.GATEWAY,
        seq=1,
        url="http://g",
        backends={each.name: BackendClaim(backend=each, since=since, lease_s=lease_s) for each in backends},
        held={NodeName(each): share for each, share in held.items()},
    )


def share(of: Backend, **facts) -> BackendShare:
    return BackendShare(incarnation=of.incarnation, **facts)


def test_the_shares_of_all_gateways_are_one_report() -> None:
    one, nodes = backend(), Nodes()
    nodes.on_report(
        gateway(G1, one, a=share(one, connections=3, taken={Issuer("01"): 4}, moved={B: 1}, accepted=5, counted="v"))
    )
    [report] = nodes.on_report(
        gateway(G2, a=share(one, connections=4, taken={Issuer("01"): 1, Issuer("02"): 2}, moved={B: 2}, counted="v"))
    ).reports
    assert (report.name, report.role, report.url, report.holders) == (A, Role.NODE, one.url, (G1, G2))
    assert (report.connections, report.accepted, report.counted) == (7, 5, "v")
    assert report.taken == {Issuer("01"): 5, Issuer("02"): 2}
    assert report.moved == {B: 3}
    assert report.is_backend


def test_keys_are_counted_when_all_holders_have_counted_them() -> None:
    one, nodes = backend(), Nodes()
    nodes.on_report(gateway(G1, one, a=share(one, counted="v2", misplaced={B: 1})))
    assert nodes.on_report(gateway(G2, a=share(one, counted="v1"))).reports[0].counted == ""
    assert nodes.on_report(gateway(G2, a=share(one, counted="v2"))).reports[0].counted == "v2"


def test_a_backend_is_there_while_a_gateway_claims_it() -> None:
    one, nodes = backend(), Nodes()
    nodes.on_report(gateway(G1, one))
    nodes.on_report(gateway(G2, one, a=share(one, connections=2)))
    assert nodes.on_report(gateway(G1)).gone == []
    assert nodes.on_report(gateway(G2)).gone == [A]
    assert nodes.backend(A) is None


@pytest.mark.parametrize(("lease_s", "counts_s"), [(3.0, DOUBT_S), (10.0, 10.0), (30.0, 30.0)])
def test_a_server_that_registered_at_a_gateway_that_is_gone_has_one_lease_to_register_elsewhere(
    lease_s, counts_s
) -> None:
    one, nodes = backend(), Nodes()
    nodes.on_report(gateway(G1, one, lease_s=lease_s, a=share(one, connections=2)))
    [report] = nodes.on_left(G1, 100.0).reports
    assert (report.connections, report.holders) == (0, ())
    assert nodes.tick(100.0 + counts_s - 0.1) == ([], [])
    assert nodes.tick(100.0 + counts_s).gone == [A]


@pytest.mark.parametrize(("lease_s", "counts_s"), [(3.0, DOUBT_S), (10.0, 10.0), (0.0, ORPHANED_S)])
def test_no_claim_ends_while_the_engine_is_away(lease_s, counts_s) -> None:
    one, nodes = backend(), Nodes()
    nodes.on_report(gateway(G1, one, lease_s=lease_s))
    nodes.on_left(G1, 100.0)
    assert nodes.tick(102.0, engine_up=False) == ([], [])
    assert nodes.tick(500.0, engine_up=False) == ([], [])
    assert nodes.tick(500.25, engine_up=True) == ([], [])
    assert nodes.tick(500.25 + counts_s - 0.1, engine_up=True) == ([], [])
    assert nodes.tick(500.25 + counts_s, engine_up=True).gone == [A]


def test_a_gateway_that_restarts_does_not_end_the_leases_of_its_life_before() -> None:
    one, nodes = backend(), Nodes()
    nodes.on_report(gateway(G1, one, lease_s=30.0))
    nodes.on_left(G1, 100.0)
    assert nodes.on_report(gateway(G1, life="1")).gone == []
    nodes.on_report(gateway(G1, one, lease_s=30.0, since=2.0, life="1"))  # it has registered again
    assert nodes.tick(130.0) == ([], [])
    assert nodes.on_report(gateway(G1, life="1")).gone == [A]


def test_a_gateway_that_restarts_says_itself_what_its_own_sources_list() -> None:
    one, other, nodes = backend(), backend(B), Nodes()
    nodes.on_report(gateway(G1, one, other))
    nodes.on_left(G1, 100.0)
    assert nodes.on_report(gateway(G1, other, life="1")).gone == [A]
    assert nodes.backend(B) == other


def test_a_claim_without_a_lease_outlives_its_gateway_for_a_while() -> None:
    one, nodes = backend(), Nodes()
    nodes.on_report(gateway(G1, one, a=share(one, connections=2)))
    [report] = nodes.on_left(G1, 100.0).reports
    assert (report.connections, report.holders) == (0, ())
    assert nodes.tick(100.0 + ORPHANED_S - 0.1) == ([], [])
    nodes.on_report(gateway(G2, one, since=2.0))
    [report] = nodes.tick(100.0 + ORPHANED_S).reports
    assert report.incarnation == one.incarnation
    nodes.on_left(G2, 200.0)
    assert nodes.tick(200.0 + ORPHANED_S).gone == [A]
    assert nodes.tick(300.0) == ([], [])


def test_a_gateway_that_comes_back_says_itself_what_it_claims() -> None:
    one, nodes = backend(), Nodes()
    nodes.on_report(gateway(G1, one))
    nodes.on_left(G1, 100.0)
    assert nodes.on_report(gateway(G1)).gone == [A]


def test_a_gateway_that_is_gone_holds_nothing_more() -> None:
    one, nodes = backend(), Nodes()
    nodes.on_report(gateway(G1, one, a=share(one, connections=1)))
    nodes.on_report(gateway(G2, one, a=share(one, connections=2)))
    [report] = nodes.on_left(G2, 0.0).reports
    assert (report.connections, report.holders) == (1, (G1,))


def test_the_newest_claim_describes_it_and_shares_of_its_earlier_life_do_not_count() -> None:
    old, new, nodes = backend(life="1", weight=2.0), backend(life="2"), Nodes()
    nodes.on_report(gateway(G1, old, since=1.0, a=share(old, connections=5)))
    [report] = nodes.on_report(gateway(G2, new, since=2.0)).reports
    assert (report.incarnation, report.weight, report.connections) == (new.incarnation, 1.0, 0)
    [report] = nodes.on_report(gateway(G1, old, since=1.0, a=share(old, connections=5))).reports
    assert (report.incarnation, report.connections) == (new.incarnation, 0)


def test_gateways_that_put_a_backend_in_different_groups_are_named() -> None:
    nodes = Nodes()
    nodes.on_report(gateway(G1, backend(group="x"), since=1.0))
    nodes.on_report(gateway(G2, backend(group="x"), since=2.0))
    assert nodes.disputes == {}
    nodes.on_report(gateway(G2, backend(), since=2.0))
    assert nodes.disputes == {A: GroupDispute(G2, "default", G1, "x")}
    assert "g2 puts it in the group default, which counts, and g1 in x" in str(nodes.disputes[A])
    nodes.on_left(G2, 0.0)
    assert nodes.disputes == {}, "a gateway that is gone disputes nothing"


def test_the_default_group_is_the_same_with_and_without_its_name() -> None:
    nodes = Nodes()
    nodes.on_report(gateway(G1, backend(group="default")))
    nodes.on_report(gateway(G2, backend()))
    assert nodes.disputes == {}


def test_the_state_of_the_highest_version_counts_and_of_two_the_drain() -> None:
    one, nodes = backend(), Nodes()
    drained = share(one, version=2, state=NodeState.DRAINING, drain_left_s=9.0, drain_avoid=(B,))
    nodes.on_report(gateway(G1, one, a=drained))
    [report] = nodes.on_report(gateway(G2, one, a=share(one, version=1))).reports
    assert (report.state, report.drain_left_s, report.drain_avoid) == (NodeState.DRAINING, 9.0, (B,))
    assert nodes.on_report(gateway(G2, a=share(one, version=2))).reports[0].state is NodeState.DRAINING
    assert nodes.on_report(gateway(G2, a=share(one, version=3))).reports[0].state is NodeState.ACTIVE


def test_numbers_grow_so_that_no_report_counts_as_late() -> None:
    one, nodes = backend(), Nodes()
    first = nodes.on_report(gateway(G1, one)).reports[0].seq
    assert nodes.on_report(gateway(G1, one)).reports[0].seq == first + 1
    nodes.on_left(G1, 0.0)
    assert nodes.on_report(gateway(G1, one)).reports[0].seq > first + 2


def test_a_gateway_without_backends_costs_nothing() -> None:
    nodes = Nodes()
    assert nodes.on_report(gateway(G1)) == ([], [])
    assert nodes.on_left(G1, 0.0) == ([], [])


@given(st.integers(0, 300), st.dictionaries(st.sampled_from(["g1", "g2", "g3", "g4"]), st.integers(0, 90)))
def test_split_moves_add_up_and_nobody_gives_what_it_has_not(count: int, has: dict[str, int]) -> None:
    counts = {NodeName(name): each for name, each in has.items()}
    parts = split_moves(count, counts)
    total = sum(counts.values())
    assert sum(parts.values()) == min(count, total)
    assert all(0 < part <= counts[name] for name, part in parts.items())
    for name, part in parts.items():
        assert abs(part - min(count, total) * counts[name] / total) < 1


def test_a_report_says_whom_it_concerns_and_all_that_is_said_by_then_is_read_together() -> None:
    one, other, nodes = backend(), backend(B), HeldNodes()
    assert set(nodes.on_report(gateway(G1, one, other, a=share(one, connections=2)))) == {A, B}
    assert set(nodes.on_report(gateway(G2, one, a=share(one, connections=3)))) == {A}
    assert nodes.backend(A) is None, "nothing was read yet"
    [report] = nodes.read_changes([A]).reports
    assert report.connections == 5
    assert nodes.backend(B) is None
    assert set(nodes.on_report(gateway(G1, one))) == {A, B}
    assert nodes.read_changes([B]) == ([], []), "it was never read, so it cannot be gone"


def test_the_cool_down_of_a_backend_is_the_longest_of_those_that_hold_connections_there() -> None:
    one, nodes = backend(), Nodes()
    for name, cool_down_s in ((G1, 60.0), (G2, 1800.0)):
        told = msgspec.structs.replace(gateway(name, one, a=share(one, connections=1)), cool_down_s=cool_down_s)
        [report] = nodes.on_report(told).reports
    assert report.cool_down_s == 1800.0
