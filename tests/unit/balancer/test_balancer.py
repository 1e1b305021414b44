"""The balancer over the memory engine, in fake time: a round a second, nodes that answer as they are told to."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ringway.balancer.balancer import Balancer
from ringway.balancer.stats import GroupStats
from ringway.core.balance.config import BalanceConfig
from ringway.core.group import Groups
from ringway.core.steering import Steering
from ringway.engine.memory.engine import MemoryEngine, MemoryHub
from ringway.errors import EngineError, NoAnswer
from ringway.member.leader_call import call_plan
from ringway.protocol.directive import Directive
from ringway.protocol.group import CHANNELS
from ringway.protocol.order import (
    BALANCER,
    DrainAnswer,
    DrainRequest,
    MoveOrder,
    NodeAnswer,
    NodeConsent,
    NodeRefusal,
    PlanAnswer,
    Rebalance,
    SetState,
    decode_drain_answer,
    decode_node_request,
    decode_owners_answer,
    decode_plan_answer,
    encode,
    node_address,
)  # fmt: skip
from ringway.protocol.owners import Owners, OwnersAnswer, OwnersRequest, version_of
from ringway.testing.clock import run_in_fake_time
from ringway.types import NodeName
from sample import GATEWAY, name, node_report
from support.log_capture import capture_logs

CONFIG = BalanceConfig(settle_s=2.0, lease_s=4.0)
PATIENCE_S = 60.0


def equal(*nodes: int) -> dict[NodeName, float]:
    return {name(node): 1.0 for node in nodes}


def owners(*nodes: int, table: str = "ring", before: dict[NodeName, float] | None = None) -> str:
    """The version of owners: these nodes, all of weight 1."""
    return version_of(Owners(table=table, weights=equal(*nodes), before=before))


class Cluster:
    """Nodes that carry out orders at once, and balancers over one view of them."""

    def __init__(self, connections: dict[NodeName, int], *, keyed: bool = False) -> None:
        self.hub = MemoryHub(now=asyncio.get_running_loop().time)
        self.engine = self.hub.open()
        self.steering = Steering("ring" if keyed else "two-choices", b"")
        self.connections = connections
        self.draining: set[NodeName] = set()
        self.misplaced: dict[NodeName, dict[NodeName, int]] = {}
        self.moved: dict[NodeName, dict[NodeName, int]] = {node: {} for node in connections}
        self.orders: list[tuple[float, NodeName, MoveOrder]] = []
        self.questions: list[str] = []  # the versions of owners by which nodes were to count, each time they reported
        self.uncounted: set[NodeName] = set()
        self.states: list[tuple[NodeName, SetState]] = []
        self.avoid: dict[NodeName, tuple[NodeName, ...]] = {}
        self.drain_ends: dict[NodeName, float] = {}
        self.cooling = 0
        self.answer: Callable[[NodeName], NodeAnswer | None] = lambda _: None
        self.views: list[Groups] = []
        self.engines: dict[Balancer, MemoryEngine] = {}
        self.seq = 0

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    async def serve(self) -> None:
        for node in self.connections:
            await self.engine.bus.serve(node_address(node), self.handler(node))

    def handler(self, node: NodeName) -> Callable[[bytes], Awaitable[bytes]]:
        async def handle(raw: bytes) -> bytes:
            request = decode_node_request(raw)
            if isinstance(request, SetState):
                self.states.append((node, request))
                answer = self.answer(node)
                if answer is None:
                    self.draining.add(node)
                    self.avoid[node] = request.avoid
                    self.drain_ends[node] = self.now + request.within_s
                return encode(answer or NodeConsent())
            assert isinstance(request, MoveOrder)
            self.orders.append((self.now, node, request))
            answer = self.answer(node)
            if answer is None:
                self._move(node, request.target, request.count)
            return encode(answer or NodeConsent())

        return handle

    def _move(self, donor: NodeName, target: NodeName, count: int) -> None:
        self.connections[donor] -= count
        self.connections[target] += count
        self.moved[donor][target] = self.moved[donor].get(target, 0) + count
        counted = self.misplaced.get(donor, {})
        if target in counted:
            counted[target] -= count

    def report(self) -> None:
        """Let every view hear of every node."""
        self.seq += 1
        told = next((balancer.owners[CHANNELS] for balancer in self.engines if balancer.owners), "")
        if told:
            self.questions.append(told)
        for node, connections in self.connections.items():
            counts = bool(told) and node not in self.uncounted
            report = node_report(
                node, self.seq, draining=node in self.draining, connections=connections, moved=dict(self.moved[node]),
                drain_left_s=max(0.0, self.drain_ends.get(node, 0.0) - self.now), cooling=self.cooling,
                drain_avoid=self.avoid.get(node, ()), counted=told if counts else "",
                misplaced={owner: count for owner, count in self.misplaced.get(node, {}).items() if count and counts},
            )  # fmt: skip
            for view in self.views:
                view.reported(report, self.now)

    async def reporting(self) -> None:
        while True:
            self.report()
            await asyncio.sleep(0.9)

    def balancer(self, gateway: str, engine: MemoryEngine | None = None) -> Balancer:
        view = Groups(GATEWAY, lambda name: self.steering)
        self.views.append(view)
        self.report()
        engine = engine or self.hub.open()
        made = Balancer(
            CONFIG, name=gateway, groups=view, engine=engine,
            clock=asyncio.get_running_loop().time,
        )  # fmt: skip
        self.engines[made] = engine
        return made

    async def ask(self, *, dry_run: bool) -> PlanAnswer:
        request = encode(Rebalance(dry_run=dry_run))
        return decode_plan_answer(await self.engine.bus.call(BALANCER, request, timeout_s=2.0))

    async def drain(
        self, node: int, within_s: float, *, force: bool = False, avoid: tuple[NodeName, ...] = ()
    ) -> DrainAnswer:
        request = encode(DrainRequest(node=name(node), within_s=within_s, force=force, avoid=avoid))
        return decode_drain_answer(await self.engine.bus.call(BALANCER, request, timeout_s=5.0))

    async def ask_owners(self, request: OwnersRequest) -> OwnersAnswer:
        return decode_owners_answer(await self.engine.bus.call(BALANCER, encode(request), timeout_s=2.0))

    def ordered(self) -> int:
        return sum(order.count for _, _, order in self.orders)


@asynccontextmanager
async def running(cluster: Cluster, *balancers: Balancer) -> Any:
    """Run the nodes' reports and the balancers; cancel what still runs at the end."""
    tasks = [asyncio.create_task(cluster.reporting()), *(asyncio.create_task(one.run()) for one in balancers)]
    try:
        yield tasks[1:]
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results)


def of(balancer: Balancer) -> GroupStats:
    """Return the statistics of the only group; those of its beginning before the first round."""
    balance = balancer.balances.get(CHANNELS)
    return balance.read_stats() if balance is not None else GroupStats()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.05)


def play(connections: dict[int, int], scene: Callable[[Cluster], Awaitable[None]], *, keyed: bool = False) -> None:
    """Play `scene` with nodes that hold so many connections."""

    async def main() -> None:
        cluster = Cluster({name(index): count for index, count in connections.items()}, keyed=keyed)
        await cluster.serve()
        await scene(cluster)

    run_in_fake_time(main())


def test_it_balances_a_new_node_in_and_stops() -> None:
    async def scene(cluster: Cluster) -> None:
        balancer = cluster.balancer("g1")
        async with running(cluster, balancer):
            await until(lambda: of(balancer).reason.startswith("balanced"))
            assert all(abs(count - 200) <= 0.03 * 200 for count in cluster.connections.values())
            ordered = cluster.ordered()
            assert ordered == of(balancer).moves_ordered["imbalance"] <= 200
            await asyncio.sleep(30)
            assert cluster.ordered() == ordered

    play({1: 300, 2: 300, 3: 0}, scene)


def test_it_leads_and_says_so() -> None:
    async def scene(cluster: Cluster) -> None:
        balancer = cluster.balancer("g1")
        assert not balancer.leading
        async with running(cluster, balancer):
            await until(lambda: balancer.leading)
            assert balancer.stats.leading
        assert not balancer.leading

    play({1: 10}, scene)


def test_it_waits_for_the_cluster_to_settle() -> None:
    async def scene(cluster: Cluster) -> None:
        balancer = cluster.balancer("g1")
        async with running(cluster, balancer):
            await until(lambda: of(balancer).reason.startswith("waiting for the cluster to settle"))
            assert of(balancer).moves_planned == 50
            await until(lambda: bool(cluster.orders))
            assert cluster.orders[0][0] >= CONFIG.settle_s

    play({1: 100, 2: 0}, scene)


def test_it_waits_again_when_members_change() -> None:
    async def scene(cluster: Cluster) -> None:
        balancer = cluster.balancer("g1")
        async with running(cluster, balancer):
            await until(lambda: len(cluster.orders) >= 3)
            cluster.draining.add(name(2))
            await until(lambda: of(balancer).reason.startswith("waiting"))
            since = cluster.now
            known = len(cluster.orders)
            await until(lambda: len(cluster.orders) > known)
            assert cluster.now - since >= CONFIG.settle_s - 0.1

    play({1: 1000, 2: 0, 3: 0}, scene)


def test_it_says_why_no_moves_are_ordered_now() -> None:
    async def scene(cluster: Cluster) -> None:
        balancer = cluster.balancer("g1")
        assert balancer.pauses() is None, "it does not lead yet"
        async with running(cluster, balancer):
            await until(lambda: bool(balancer.pauses()))
            [(settles, is_frozen)] = told(balancer)
            assert not is_frozen
            assert re.fullmatch(
                "channels: n1 and n2 joined; moves go on when no member has changed for 2 s: "
                r"at .*\d\d:\d\d:\d\d .*, if none changes before",
                settles,
            )
            await until(lambda: bool(cluster.orders))
            assert told(balancer) == []
            cluster.steering.follow(Directive(version=1, frozen="a deploy"))
            assert told(balancer) == [("channels: an operator has frozen it: a deploy", True)]
            cluster.steering.follow(Directive(version=2))
            assert told(balancer) == []

    def told(balancer: Balancer) -> list[tuple[str, bool]]:
        return [(f"{pause.group}: {pause.why}", pause.is_frozen) for pause in balancer.pauses() or ()]

    play({1: 100, 2: 0}, scene)


def test_it_keeps_to_its_pace() -> None:
    async def scene(cluster: Cluster) -> None:
        async with running(cluster, cluster.balancer("g1")):
            await until(lambda: cluster.ordered() >= 200)
        by_second: dict[int, int] = {}
        for at, _, order in cluster.orders:
            by_second[round(at)] = by_second.get(round(at), 0) + order.count
            assert order.within_s == 1.0
        assert set(by_second.values()) <= {30, 31}  # 3 % of 1,000 a second

    play({1: 500, 2: 500, 3: 0, 4: 0}, scene)


def test_orders_carry_the_fencing_number() -> None:
    async def scene(cluster: Cluster) -> None:
        cluster.hub.leases.fence = 41
        async with running(cluster, cluster.balancer("g1")):
            await until(lambda: len(cluster.orders) >= 2)
        assert {order.fence for _, _, order in cluster.orders} == {42}

    play({1: 1000, 2: 0}, scene)


def test_of_two_one_leads_and_the_other_waits() -> None:
    async def scene(cluster: Cluster) -> None:
        one, other = cluster.balancer("g1"), cluster.balancer("g2")
        async with running(cluster, one, other):
            await until(lambda: cluster.ordered() >= 200)
            assert one.leading != other.leading
            assert of(one if other.leading else other).moves_ordered.total() == 0
        assert len({order.fence for _, _, order in cluster.orders}) == 1

    play({1: 500, 2: 0}, scene)


def test_one_that_stops_resigns_and_another_leads_at_once() -> None:
    async def scene(cluster: Cluster) -> None:
        one, other = cluster.balancer("g1"), cluster.balancer("g2")
        async with running(cluster, one, other) as tasks:
            await until(lambda: one.leading)
            tasks[0].cancel()
            stopped = cluster.now
            await until(lambda: other.leading)
            assert cluster.now - stopped <= 1.1

    play({1: 10}, scene)


def test_one_that_dies_is_succeeded_when_its_lease_is_over() -> None:
    async def scene(cluster: Cluster) -> None:
        one, other = cluster.balancer("g1"), cluster.balancer("g2")
        async with running(cluster, one, other):
            await until(lambda: of(one).moves_ordered.total() > 0)
            cut_off(cluster.engines[one])
            died = cluster.now
            await until(lambda: other.leading)
            assert cluster.now - died <= CONFIG.lease_s + 1.1
            assert not one.leading
            await until(lambda: of(other).moves_ordered.total() > 0)
            fences = [order.fence for _, _, order in cluster.orders]
            assert fences == sorted(fences)
            assert fences[-1] > fences[0]
            await until(lambda: set(cluster.connections.values()) == {500})
            assert cluster.ordered() == 500

    play({1: 1000, 2: 0}, scene)


def cut_off(engine: MemoryEngine) -> None:
    """Let the engine fail for its balancer alone: to the others it is dead."""

    async def fail(*_: object, **__: object) -> Any:
        raise EngineError("cut off")

    for port, calls in (("lease", ("acquire", "renew", "release")), ("bus", ("call",))):
        for call in calls:
            setattr(getattr(engine, port), call, fail)


def test_while_the_engine_is_away_it_orders_nothing_and_goes_on_afterwards() -> None:
    async def scene(cluster: Cluster) -> None:
        balancer = cluster.balancer("g1")
        async with running(cluster, balancer):
            await until(lambda: cluster.ordered() > 0)
            cluster.hub.away = True
            await asyncio.sleep(0.1)
            known = cluster.ordered()
            await asyncio.sleep(20)
            assert cluster.ordered() == known
            assert not balancer.leading
            cluster.hub.away = False
            await until(lambda: set(cluster.connections.values()) == {500})
            assert cluster.ordered() == 500

    play({1: 1000, 2: 0}, scene)


def test_it_serves_the_plan_though_the_engine_refused_that_at_first() -> None:
    async def scene(cluster: Cluster) -> None:
        engine = cluster.hub.open()
        balancer = cluster.balancer("g1", engine)
        serve, failures = engine.bus.serve, 2

        async def fail_twice(address: str, handler: Any) -> Any:
            nonlocal failures
            failures -= 1
            if failures >= 0:
                raise NoAnswer("not now")
            return await serve(address, handler)

        engine.bus.serve = fail_twice  # type: ignore[method-assign]
        async with running(cluster, balancer):
            await until(lambda: BALANCER in cluster.hub.served)
            assert (await cluster.ask(dry_run=True)).load == {"n1": 10.0}

    play({1: 10}, scene)


def test_only_the_leader_answers_and_nobody_does_after_it_has_gone() -> None:
    async def scene(cluster: Cluster) -> None:
        async with running(cluster, cluster.balancer("g1"), cluster.balancer("g2")):
            await until(lambda: BALANCER in cluster.hub.served)
            await asyncio.sleep(5)
            assert len(cluster.hub.served[BALANCER]) == 1
        assert BALANCER not in cluster.hub.served

    play({1: 10}, scene)


def test_a_dry_run_shows_the_plan_and_moves_nobody() -> None:
    async def scene(cluster: Cluster) -> None:
        async with running(cluster, cluster.balancer("g1")):
            await until(lambda: BALANCER in cluster.hub.served)
            plan = await cluster.ask(dry_run=True)
            assert [(row.donor, row.target, row.count) for row in plan.quotas] == [("n1", "n2", 10)]
            assert plan.fair == {"n1": 100.0, "n2": 100.0}
            assert plan.load == {"n1": 110.0, "n2": 90.0}
            assert (plan.moves_per_s, plan.needs_s) == (6.0, 10 / 6)
            assert "to the last connection" in plan.reason
            await asyncio.sleep(20)
            assert cluster.orders == []

    play({1: 110, 2: 90}, scene)


def test_asked_to_it_balances_inside_the_dead_band() -> None:
    async def scene(cluster: Cluster) -> None:
        async with running(cluster, cluster.balancer("g1")):
            await until(lambda: BALANCER in cluster.hub.served)
            await cluster.ask(dry_run=False)
            await until(lambda: set(cluster.connections.values()) == {100})
            await asyncio.sleep(20)
            assert cluster.ordered() == 10

    play({1: 110, 2: 90}, scene)


@pytest.mark.parametrize("answer", [NodeRefusal(why="no"), "silent"])
def test_a_node_that_refuses_or_is_silent_is_asked_again(answer: NodeAnswer | str) -> None:
    async def scene(cluster: Cluster) -> None:
        def refuse(_: NodeName) -> NodeAnswer | None:
            if answer == "silent":
                raise RuntimeError("the node is broken")
            assert isinstance(answer, NodeRefusal)
            return answer

        balancer = cluster.balancer("g1")
        cluster.answer = refuse
        async with running(cluster, balancer):
            await until(lambda: of(balancer).orders_failed >= 3)
            assert of(balancer).moves_ordered.total() == 0
            cluster.answer = lambda _: None
            await until(lambda: set(cluster.connections.values()) == {50})
            assert of(balancer).moves_ordered.total() == 50

    play({1: 100, 2: 0}, scene)


def test_a_draining_node_is_emptied() -> None:
    async def scene(cluster: Cluster) -> None:
        cluster.draining.add(name(2))
        async with running(cluster, cluster.balancer("g1")):
            await until(lambda: cluster.connections[name(2)] == 0)
            assert cluster.connections == {"n1": 100, "n2": 0, "n3": 100}
            assert cluster.ordered() == 67

    play({1: 67, 2: 67, 3: 66}, scene)


def test_by_key_it_moves_what_nodes_find_misplaced_and_then_asks_no_more() -> None:
    async def scene(cluster: Cluster) -> None:
        cluster.misplaced = {name(1): {name(3): 30}, name(2): {name(3): 20}}
        balancer = cluster.balancer("g1")
        async with running(cluster, balancer):
            await until(lambda: cluster.ordered() == 50)
            assert {order.owners for _, _, order in cluster.orders} == {owners(1, 2, 3)}
            answer = await cluster.ask_owners(OwnersRequest(version=owners(1, 2, 3)))
            assert answer.owners == Owners(table="ring", weights=equal(1, 2, 3))
            await asyncio.sleep(3)
            asked = len(cluster.questions)
            await asyncio.sleep(20)
            assert len(cluster.questions) == asked
            assert of(balancer).reason == "every key is where the policy puts it"
            assert cluster.ordered() == 50

    play({1: 100, 2: 100, 3: 0}, scene, keyed=True)


def test_by_key_it_says_who_stays_for_now_and_until_when() -> None:
    async def scene(cluster: Cluster) -> None:
        cluster.misplaced = {name(1): {name(2): 10}}
        async with running(cluster, cluster.balancer("g1")):
            await until(lambda: cluster.ordered() == 10)
            cluster.cooling = 7
            await asyncio.sleep(5)
            reason = (await cluster.ask(dry_run=True)).reason
            assert reason.startswith(
                "every key that may be moved is where the policy puts it; 7 at n1, 7 at n2 stay for now: they are "
                "pinned, or stay until `move_cool_down_s` (half an hour, unless it is set) after their last move; the "
                "last moves there were ordered "
            )
            cluster.cooling = 0
            await asyncio.sleep(2)
            assert (await cluster.ask(dry_run=True)).reason == "every key is where the policy puts it"

    play({1: 100, 2: 100}, scene, keyed=True)


def test_by_key_a_draining_node_is_emptied_of_connections_without_a_key_too() -> None:
    async def scene(cluster: Cluster) -> None:
        cluster.misplaced = {name(2): {name(1): 20, name(3): 10}}
        cluster.draining.add(name(2))
        async with running(cluster, cluster.balancer("g1")):
            await until(lambda: cluster.connections[name(2)] == 0)
            by_key = [order.count for _, _, order in cluster.orders if order.owners]
            assert (sum(by_key), cluster.ordered()) == (30, 50)
            assert {donor for _, donor, _ in cluster.orders} == {"n2"}

    play({1: 100, 2: 50, 3: 90}, scene, keyed=True)


def test_by_key_it_asks_again_when_members_change_or_an_answer_is_missing() -> None:
    async def scene(cluster: Cluster) -> None:
        cluster.uncounted.add(name(2))
        balancer = cluster.balancer("g1")
        async with running(cluster, balancer):
            await asyncio.sleep(10)
            asked = len(cluster.questions)
            assert asked >= 7  # all the time, since one count is missing
            assert of(balancer).reason == "nodes count their misplaced keys"
            cluster.uncounted.clear()
            await asyncio.sleep(5)
            asked = len(cluster.questions)
            await asyncio.sleep(5)
            assert len(cluster.questions) == asked
            cluster.draining.add(name(1))
            await until(lambda: len(cluster.questions) > asked)
            assert cluster.questions[-1] == owners(2)

    play({1: 100, 2: 100}, scene, keyed=True)


def test_by_key_nobody_is_asked_while_moves_are_frozen_but_for_a_dry_run() -> None:
    async def scene(cluster: Cluster) -> None:
        cluster.misplaced = {name(1): {name(2): 20}}
        cluster.steering.follow(cluster.steering.directive.with_frozen("a deploy"))
        balancer = cluster.balancer("g1")
        async with running(cluster, balancer):
            await until(lambda: of(balancer).frozen)
            await asyncio.sleep(20)
            assert not cluster.questions
            plan = await cluster.ask(dry_run=True)
            assert [(row.donor, row.target, row.count) for row in plan.quotas] == [("n1", "n2", 20)]
            cluster.steering.follow(cluster.steering.directive.with_frozen(""))
            await until(lambda: cluster.ordered() == 20)

    play({1: 100, 2: 100}, scene, keyed=True)


def test_a_node_that_does_not_answer_is_told_once_until_it_consents() -> None:
    async def scene(cluster: Cluster) -> None:
        cluster.misplaced = {name(1): {name(2): 1000}}
        silent = True
        cluster.answer = lambda node: NodeRefusal(why="starting") if silent and node == "n1" else None
        with capture_logs() as logs:
            async with running(cluster, cluster.balancer("g1")):
                await asyncio.sleep(20)
                assert refusals(logs) == [("n1", "starting")]
                silent = False
                await until(lambda: cluster.connections[name(2)] > 105)
                silent = True
                await asyncio.sleep(5)
                assert refusals(logs) == [("n1", "starting")] * 2

    play({1: 5000, 2: 100}, scene, keyed=True)


def refusals(logs: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    return [(line["node"], line["why"]) for line in logs if line["event"] == "a node refused"]


# -- the journal, freezing, policies that are changed, drains by a deadline


def outcomes(balancer: Balancer) -> list[tuple[str, str]]:
    return [(decision.cause, decision.outcome) for decision in balancer.decisions(10)]


def test_it_keeps_its_decisions_with_their_outcomes() -> None:
    async def scene(cluster: Cluster) -> None:
        balancer = cluster.balancer("g1")
        async with running(cluster, balancer):
            await until(lambda: outcomes(balancer) == [("imbalance", "under way")])
            await until(lambda: outcomes(balancer) == [("imbalance", "done")])
            [decision] = balancer.decisions(10)
            assert decision.gateway == "g1"
            assert decision.policy == "two-choices"
            assert decision.load == {"n1": 300, "n2": 300, "n3": 0}
            assert (decision.planned, decision.ordered) == (200, cluster.ordered())
            assert decision.seconds == pytest.approx(of(balancer).balance_s, abs=0.1)
            await asyncio.sleep(20)
            cluster.draining.add(name(3))
            await until(lambda: outcomes(balancer)[0] == ("drain", "done"))
            assert len(balancer.decisions(10)) == 2
            assert set(of(balancer).moves_ordered) == {"imbalance", "drain"}

    play({1: 300, 2: 300, 3: 0}, scene)


def test_a_balance_that_ends_with_its_target_names_it() -> None:
    async def scene(cluster: Cluster) -> None:
        balancer = cluster.balancer("g1")
        async with running(cluster, balancer):
            await until(lambda: bool(cluster.orders))
            del cluster.connections[name(2)]
            for view in cluster.views:
                view.forgotten(node_report(name(2)))
            await until(lambda: outcomes(balancer)[-1] == ("imbalance", "superseded: n2 left"))

    play({1: 3000, 2: 0, 3: 1500}, scene)


def test_a_change_of_members_supersedes_what_is_under_way() -> None:
    async def scene(cluster: Cluster) -> None:
        balancer = cluster.balancer("g1")
        async with running(cluster, balancer):
            await until(lambda: bool(cluster.orders))
            cluster.draining.add(name(2))
            await until(lambda: len(balancer.decisions(10)) == 2)
            assert outcomes(balancer) == [
                ("drain", "under way"), ("imbalance", "superseded: n2 changed to draining"),
            ]  # fmt: skip

    play({1: 3000, 2: 0, 3: 0}, scene)


def test_frozen_it_orders_nothing_and_says_why_and_then_goes_on() -> None:
    async def scene(cluster: Cluster) -> None:
        balancer = cluster.balancer("g1")
        async with running(cluster, balancer):
            await until(lambda: bool(cluster.orders))
            cluster.steering.follow(cluster.steering.directive.with_frozen("a deploy"))
            await until(lambda: of(balancer).frozen)
            ordered = cluster.ordered()
            await asyncio.sleep(20)
            assert cluster.ordered() == ordered
            assert of(balancer).reason.startswith("frozen: an operator has frozen it: a deploy; n")
            assert outcomes(balancer) == [("imbalance", "frozen: an operator has frozen it: a deploy")]
            assert (await cluster.ask(dry_run=True)).frozen == "an operator has frozen it: a deploy"
            assert (await cluster.drain(1, 500.0)).why == "moves are frozen: an operator has frozen it: a deploy"
            assert not cluster.states
            cluster.steering.follow(cluster.steering.directive.with_frozen(""))
            await until(lambda: outcomes(balancer)[0] == ("imbalance", "done"))
            assert not of(balancer).frozen

    play({1: 1000, 2: 0}, scene)


def test_a_slow_engine_freezes_it() -> None:
    async def scene(cluster: Cluster) -> None:
        engine = cluster.hub.open()
        balancer = cluster.balancer("g1", engine)
        renew = engine.lease.renew

        async def renew_slowly(*arguments: Any) -> bool:
            await asyncio.sleep(0.7)
            return await renew(*arguments)

        async with running(cluster, balancer):
            await until(lambda: bool(cluster.orders))
            engine.lease.renew = renew_slowly  # type: ignore[method-assign]
            await until(lambda: of(balancer).frozen)
            assert "the engine is slow: it took 0.7 s" in of(balancer).reason
            ordered = cluster.ordered()
            await asyncio.sleep(20)
            assert cluster.ordered() == ordered
            engine.lease.renew = renew  # type: ignore[method-assign]
            await until(lambda: cluster.ordered() > ordered)

    play({1: 1000, 2: 0}, scene)


def test_one_that_loses_the_lease_writes_that_down() -> None:
    async def scene(cluster: Cluster) -> None:
        balancer = cluster.balancer("g1")
        async with running(cluster, balancer):
            await until(lambda: bool(cluster.orders))
            cut_off(cluster.engines[balancer])
            await until(lambda: not balancer.stats.leading)
            assert outcomes(balancer) == [("imbalance", "leadership lost")]
            assert of(balancer).reason == "not leading"
            assert of(balancer).moves_planned == 0

    play({1: 1000, 2: 0}, scene)


def test_who_takes_over_in_a_calm_cluster_need_not_wait() -> None:
    async def scene(cluster: Cluster) -> None:
        one, other = cluster.balancer("g1"), cluster.balancer("g2")
        async with running(cluster, one, other):
            await until(lambda: of(one).moves_ordered.total() > 0)
            cut_off(cluster.engines[one])
            await until(lambda: other.leading)
            took_over = cluster.now
            await until(lambda: of(other).moves_ordered.total() > 0)
            assert cluster.now - took_over < CONFIG.settle_s

    play({1: 3000, 2: 0}, scene)


def test_a_new_policy_that_is_to_move_nobody_moves_nobody_until_asked() -> None:
    async def scene(cluster: Cluster) -> None:
        cluster.steering.follow(cluster.steering.directive.with_policy("round-robin", moving=False))
        async with running(cluster, cluster.balancer("g1")):
            await asyncio.sleep(20)
            assert not cluster.orders
            await cluster.ask(dry_run=True)
            await asyncio.sleep(5)
            assert not cluster.orders
            await cluster.ask(dry_run=False)
            assert cluster.steering.directive == Directive(version=2, policy="round-robin", moving=True)
            await until(lambda: set(cluster.connections.values()) == {50})

    play({1: 100, 2: 0}, scene)


def test_a_balance_of_one_group_leaves_what_was_decided_for_others() -> None:
    async def scene(cluster: Cluster) -> None:
        decided = cluster.steering.directive.with_policy("round-robin", moving=False)
        cluster.steering.follow(decided.with_policy("ring", moving=False, group="chat"))
        async with running(cluster, cluster.balancer("g1")):
            await asyncio.sleep(5)
            await call_plan(cluster.engine.bus, dry_run=False, group=CHANNELS)
            directive = cluster.steering.directive
            assert [directive.of(group).moving for group in (CHANNELS, "chat", "feed")] == [True, False, False]
            await cluster.ask(dry_run=False)
            directive = cluster.steering.directive
            assert [directive.of(group).moving for group in (CHANNELS, "chat", "feed")] == [True, True, True]
            assert [directive.of(group).policy for group in (CHANNELS, "chat")] == ["round-robin", "ring"]

    play({1: 100, 2: 100}, scene)


def test_a_policy_that_was_to_move_nobody_may_move_them_later() -> None:
    async def scene(cluster: Cluster) -> None:
        cluster.steering.follow(cluster.steering.directive.with_policy("round-robin", moving=False))
        async with running(cluster, cluster.balancer("g1")):
            await asyncio.sleep(10)
            assert not cluster.orders
            cluster.steering.follow(cluster.steering.directive.with_policy("round-robin", moving=True))
            await until(lambda: set(cluster.connections.values()) == {50})

    play({1: 100, 2: 0}, scene)


def test_by_key_a_new_policy_that_is_to_move_nobody_takes_the_owners_of_now_for_right() -> None:
    async def scene(cluster: Cluster) -> None:
        async with running(cluster, cluster.balancer("g1")):
            await until(lambda: cluster.questions[-1:] == [owners(1, 2)])
            cluster.steering.follow(cluster.steering.directive.with_policy("rendezvous", moving=False))
            await until(lambda: cluster.questions[-1] == owners(1, 2, table="rendezvous", before=equal(1, 2)))
            cluster.draining.add(name(2))
            changed = owners(1, table="rendezvous", before=equal(1, 2))
            await until(lambda: cluster.questions[-1] == changed)
            cluster.steering.follow(cluster.steering.directive.with_frozen("for a moment"))  # changes no owner
            await asyncio.sleep(3)
            assert cluster.questions[-1] == changed
            await cluster.ask(dry_run=False)
            assert cluster.questions[-1] == owners(1, table="rendezvous")

    play({1: 100, 2: 100}, scene, keyed=True)


def test_by_key_it_looks_again_once_a_minute_while_some_may_not_be_moved_yet() -> None:
    async def scene(cluster: Cluster) -> None:
        cluster.cooling = 10
        async with running(cluster, cluster.balancer("g1")):
            await asyncio.sleep(10)
            asked = len(cluster.questions)
            await asyncio.sleep(40)
            assert len(cluster.questions) == asked
            cluster.misplaced = {name(1): {name(2): 5}}
            await until(lambda: cluster.ordered() == 5)
            cluster.cooling = 0
            await asyncio.sleep(5)
            asked = len(cluster.questions)
            await asyncio.sleep(120)
            assert len(cluster.questions) == asked

    play({1: 100, 2: 100}, scene, keyed=True)


def test_by_key_it_rests_when_owners_have_no_room_and_says_so() -> None:
    async def scene(cluster: Cluster) -> None:
        cluster.misplaced = {name(1): {name(2): 60}}
        balancer = cluster.balancer("g1")
        async with running(cluster, balancer):
            await asyncio.sleep(30)
            assert cluster.ordered() == 26  # 1.25 x the fair share of 101, less the 101 that are there
            asked = len(cluster.questions)
            await asyncio.sleep(10)
            assert len(cluster.questions) == asked
            assert of(balancer).reason == ("34 connections hold keys of other nodes; the owners of 34 have no room")

    play({1: 101, 2: 101}, scene, keyed=True)


def test_a_drain_by_a_deadline_is_refused_or_taken_and_met() -> None:
    async def scene(cluster: Cluster) -> None:
        async with running(cluster, cluster.balancer("g1")):
            await until(lambda: BALANCER in cluster.hub.served)
            refused = await cluster.drain(1, 20.0)
            assert "600 connections cannot leave n1 within 20 s: 36 moves a second are safe" in refused.why
            assert not cluster.states
            assert "there is no node 'n7'; there are n1, n2" in (await cluster.drain(7, 20.0)).why
            taken = await cluster.drain(1, 40.0)
            assert taken.why == ""
            assert (taken.connections, round(taken.moves_per_s, 1), taken.needs_s) == (600, 16.7, 36.0)
            began = cluster.now
            assert cluster.states == [(name(1), SetState(draining=True, within_s=40.0))]
            await until(lambda: cluster.connections[name(1)] == 0)
            assert 30.0 <= cluster.now - began <= 40.0
            rates = [order.count for _, _, order in cluster.orders]
            assert all(abs(rate - taken.moves_per_s) <= 0.1 * taken.moves_per_s + 1 for rate in rates[:-1])

    play({1: 600, 2: 600}, scene)


def test_a_deadline_outlives_the_leader() -> None:
    async def scene(cluster: Cluster) -> None:
        one, other = cluster.balancer("g1"), cluster.balancer("g2")
        async with running(cluster, one, other):
            await until(lambda: BALANCER in cluster.hub.served)
            await cluster.drain(1, 60.0)
            began = cluster.now
            await until(lambda: cluster.connections[name(1)] < 400)
            cut_off(cluster.engines[one if one.leading else other])
            await until(lambda: cluster.connections[name(1)] == 0)
            assert 45.0 <= cluster.now - began <= 60.0

    play({1: 600, 2: 600}, scene)


def test_who_is_next_in_a_rolling_restart_is_given_few_also_by_the_next_leader() -> None:
    async def scene(cluster: Cluster) -> None:
        one, other = cluster.balancer("g1"), cluster.balancer("g2")
        async with running(cluster, one, other):
            await until(lambda: BALANCER in cluster.hub.served)
            taken = await cluster.drain(1, 60.0, avoid=(name(3),))
            assert taken.why == ""
            assert cluster.states == [(name(1), SetState(draining=True, within_s=60.0, avoid=(name(3),)))]
            await until(lambda: cluster.connections[name(1)] < 400)
            cut_off(cluster.engines[one if one.leading else other])
            await until(lambda: cluster.connections[name(1)] == 0)
            assert cluster.connections == {name(1): 0, name(2): 600, name(3): 600}

    play({1: 600, 2: 0, 3: 600}, scene)


def test_forced_it_leaves_the_safe_rate() -> None:
    async def scene(cluster: Cluster) -> None:
        async with running(cluster, cluster.balancer("g1")):
            await until(lambda: BALANCER in cluster.hub.served)
            taken = await cluster.drain(1, 10.0, force=True)
            assert (taken.why, round(taken.moves_per_s)) == ("", 67)
            began = cluster.now
            await until(lambda: cluster.connections[name(1)] == 0)
            assert cluster.now - began <= 10.0

    play({1: 600, 2: 600}, scene)


def test_a_node_that_will_not_drain_is_told_of() -> None:
    async def scene(cluster: Cluster) -> None:
        async with running(cluster, cluster.balancer("g1")):
            await until(lambda: BALANCER in cluster.hub.served)
            cluster.answer = lambda _: NodeRefusal(why="not now")
            assert (await cluster.drain(1, 40.0)).why == "n1 refused: not now"

    play({1: 600, 2: 600}, scene)


def test_a_leader_that_was_stopped_for_longer_than_its_lease_answers_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(*_: object) -> bool:
        await asyncio.Event().wait()
        raise AssertionError

    async def scene(cluster: Cluster) -> None:
        balancer = cluster.balancer("g1")
        async with running(cluster, balancer):
            await until(lambda: balancer.leading)
            assert (await cluster.ask(dry_run=True)).reason
            monkeypatch.setattr(cluster.engines[balancer].lease, "renew", hang)
            await until(lambda: not balancer.leading)
            with pytest.raises(NoAnswer) as silent:
                await cluster.ask(dry_run=True)
            assert silent.value.timed_out, "it serves the address still"

    play({0: 10, 1: 10}, scene)


def test_a_group_that_is_not_there_is_refused() -> None:
    async def scene(cluster: Cluster) -> None:
        async with running(cluster, cluster.balancer("g1")):
            await until(lambda: bool(cluster.engines))
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    try:
                        answer = await call_plan(cluster.engine.bus, dry_run=False, group="nope")
                        break
                    except NoAnswer:
                        await asyncio.sleep(0.5)
            assert answer.why.startswith(f"there is no group 'nope'; there is only {CHANNELS}. A group exists when")
            assert (await call_plan(cluster.engine.bus, dry_run=True, group=CHANNELS)).why == ""

    play({0: 10, 1: 10}, scene)


def test_a_node_whose_reports_are_late_is_waited_for_before_its_drain_is_refused() -> None:
    async def scene(cluster: Cluster) -> None:
        balancer = cluster.balancer("g1")
        async with running(cluster, balancer):
            await until(lambda: bool(balancer.balances))
            cluster.connections[name(2)], cluster.moved[name(2)] = 10, {}
            await cluster.engine.bus.serve(node_address(name(2)), cluster.handler(name(2)))
            assert name(2) not in cluster.views[0].nodes
            assert (await cluster.drain(2, 50.0)).why == ""

    play({0: 10, 1: 10}, scene)
