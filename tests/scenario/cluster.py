"""A cluster of the pure core, on fake time: nodes, gateways and clients that say and do what the shells would.

Nothing here decides anything. Gateways hold a `Membership`, a `LoadView`, a policy and a `LeaderRound`; nodes a
`Ledger`; the world carries reports, tickets and orders between them, each with a delay, and lets time pass.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from random import Random

from ringway.core.backoff import next_delay_s
from ringway.core.balance.config import BalanceConfig
from ringway.core.balance.leader_round import LeaderRound
from ringway.core.balance.plan import Plan
from ringway.core.balance.stabilisation import Stabilisation
from ringway.core.hashing.ring import HashRing
from ringway.core.load import LoadView
from ringway.core.load.reservation import Ledger
from ringway.core.membership import TICK_S, MemberJoined, MemberLeft, Membership, MembershipEvent
from ringway.core.placement.catalog import make_policy
from ringway.core.placement.keyed import Keyed, room
from ringway.core.placement.place import choose_place
from ringway.core.reporting import EARLY_S, REPORT_S, next_pause_s, places_have_changed
from ringway.errors import NoNode
from ringway.protocol.report import Report
from ringway.types import Incarnation, Issuer, NodeName, NodeState, Role

ROUND_S = 1.0
TRAVEL_S = 0.005  # a report or an order, through the engine
DIAL_S = 0.03  # a client, from the gateway's answer to being connected
RETURN_S = 0.2  # a plain client, from its close to the gateway
SECRET = b"scenario"


@dataclass(slots=True)
class Client:
    """One client; `aware` ones obey moves, plain ones come back to the gateway like any newcomer."""

    key: bytes | None
    aware: bool
    attempt: int = 0


class Node:
    """What a node's shell keeps: its clients, the tickets it redeemed, the places it holds elsewhere."""

    def __init__(
        self, world: "World", name: NodeName, weight: float, accept_per_s: float, zone: str = "", most: int = 0
    ) -> None:
        self.world = world
        self.name = name
        self.weight = weight
        self.accept_per_s = accept_per_s
        self.incarnation = Incarnation(f"{world.rng.getrandbits(32):08x}")
        self.alive = True
        self.zone = zone
        self.most = most  # how many it takes; 0: not said
        self.draining = False
        self.drain_ends = 0.0
        self.drain_avoid: tuple[NodeName, ...] = ()  # who is drained next
        self.clients: dict[int, Client] = {}
        self.leaving: set[int] = set()  # chosen for a move that was ordered
        self.ledger = Ledger[NodeName]()
        self.taken: Counter[Issuer] = Counter()
        self.moved: Counter[NodeName] = Counter()
        self.missed = 0
        self.seq = 0
        self.report_on()

    def report_on(self) -> None:
        self.report()
        self.world.later(next_pause_s(REPORT_S, self.world.rng), lambda: self.alive and self.report_on())

    def report(self) -> None:
        self.seq += 1
        self.missed += self.ledger.expire(self.world.now)
        self.world.tell(
            Report(
                name=self.name, incarnation=self.incarnation, role=Role.NODE, seq=self.seq, url=f"ws://{self.name}",
                weight=self.weight, state=NodeState.DRAINING if self.draining else NodeState.ACTIVE,
                connections=len(self.clients), accept_per_s=self.accept_per_s, zone=self.zone,
                connections_max=self.most, drain_left_s=max(0.0, self.drain_ends - self.world.now),
                drain_avoid=self.drain_avoid,
                taken=dict(self.taken), reserved=self.ledger.held(), moved=dict(self.moved),
                missed=self.missed,
            )
        )  # fmt: skip

    def heard(self, report: Report) -> None:
        self.ledger.redeemed(report.name, report.incarnation, report.taken.get(Issuer(self.incarnation), 0))

    def accept(self, number: int, client: Client, issuer: Issuer) -> None:
        client.attempt = 0
        self.clients[number] = client
        self.taken[issuer] += 1

    def misplaced(self, ring: HashRing) -> dict[NodeName, list[int]]:
        found: dict[NodeName, list[int]] = {}
        for number, client in self.clients.items():
            if client.key is not None and number not in self.leaving:
                owner = ring.owner(client.key)
                if owner != self.name:
                    found.setdefault(owner, []).append(number)
        return found

    def order(self, target: NodeName, count: int, within_s: float, ring: HashRing | None) -> None:
        """Choose the clients now, close them evenly over `within_s`."""
        staying = [number for number in self.clients if number not in self.leaving]
        chosen = (staying if ring is None else self.misplaced(ring).get(target, []))[:count]
        self.leaving.update(chosen)
        for index, number in enumerate(chosen):
            self.world.later(within_s * index / len(chosen), lambda number=number: self._move(number, target))

    def _move(self, number: int, target: NodeName) -> None:
        self.leaving.discard(number)
        client = self.clients.pop(number, None)
        if client is None or not self.alive:
            return
        self.ledger.hold(target, self.world.now)
        self.moved[target] += 1
        self.world.moves[self.name, target] += 1
        if client.aware:
            issuer = Issuer(self.incarnation)
            self.world.later(DIAL_S, lambda: self.world.arrive(number, client, target, issuer))
        else:
            self.world.later(self.world.rng.uniform(0.0, RETURN_S), lambda: self.world.ask(number, client))


class Gateway:
    """What a gateway's shell keeps; it reports, places clients, and balances while it leads."""

    def __init__(self, world: "World", name: NodeName) -> None:
        self.world = world
        self.name = name
        self.incarnation = Incarnation(f"{world.rng.getrandbits(32):08x}")
        self.alive = True
        self.membership = Membership()
        self.view = LoadView(Issuer(self.incarnation))
        self.policy = make_policy(world.policy, SECRET)
        self.settle = Stabilisation()
        self.term: LeaderRound | None = None
        self.moving = False
        self.frozen = ""
        self.seq = 0
        self.told: dict[NodeName, int] = {}
        self.report_due = world.now
        self._tick()
        self._watch()

    def _tick(self) -> None:
        self.membership.engine_up(self.world.engine_up, self.world.now)
        self._take(self.membership.tick(self.world.now))
        self.view.tick(self.world.now)
        self.settle.observe(self.view, self.world.now)
        self.world.later(TICK_S, lambda: self.alive and self._tick())

    def _watch(self) -> None:
        """Report each second, and soon after the places held have changed much."""
        held = self.view.ledger.held()
        if self.world.now >= self.report_due or places_have_changed(self.told, held):
            self.told = held
            self.report_due = self.world.now + next_pause_s(REPORT_S, self.world.rng)
            self._report()
        self.world.later(EARLY_S, lambda: self.alive and self._watch())

    def _report(self) -> None:
        self.seq += 1
        self.world.tell(
            Report(
                name=self.name, incarnation=self.incarnation, role=Role.GATEWAY, seq=self.seq, url="",
                reserved=self.told,
            )
        )  # fmt: skip

    def heard(self, report: Report) -> None:
        self._take(self.membership.heard(report, self.world.now))

    def withdrawn(self, name: NodeName) -> None:
        self._take(self.membership.withdrawn(name))

    def _take(self, events: list[MembershipEvent]) -> None:
        for event in events:
            if isinstance(event, MemberLeft):
                self.view.forgotten(event.report)
                self.world.say(f"{self.name}: {event.report.name} left ({event.cause})")
                continue
            self.view.reported(event.report, self.world.now)
            if isinstance(event, MemberJoined):
                self.world.say(f"{self.name}: {event.report.name} joined")

    def place(self, client: Client) -> tuple[NodeName, Issuer]:
        self.view.wake(self.world.now)
        if isinstance(self.policy, Keyed):
            self.policy.complete(self.view)
        choice = choose_place(self.view, self.policy, client.key, self.world.rng, self.world.now, count=3, claims=True)
        if choice.claimed:
            self.world.claims += 1
        else:
            self.view.place(choice.node, self.world.now)
        return choice.node.name, choice.issuer

    def lead(self) -> None:
        """One round of the balancer (see `ringway.balancer`)."""
        now = self.world.now
        if self.term is None:
            self.term = LeaderRound(self.world.config, self.view, self.settle)
            self.world.say(f"{self.name}: leads")
        settling = self.term.settling(now)
        ring = HashRing({node.name: node.weight for node in self.view.eligible}, SECRET) if self.policy.table else None
        plan = self._plan_by_key(ring) if ring is not None and ring.weights else self.term.plan(now)
        frozen = self.term.frozen(now)
        self._say_frozen(frozen)
        self._say_plan(plan, waiting=settling or bool(frozen))
        if settling or frozen:
            return
        for quota in self.term.orders(plan, ROUND_S):
            donor = self.world.nodes[quota.donor]
            if donor.alive and self.world.engine_up:
                donor.order(quota.target, quota.count, ROUND_S, ring if plan.by_key else None)
                self.term.ordered(quota, now, by_key=plan.by_key)

    def _plan_by_key(self, ring: HashRing) -> Plan:
        assert self.term is not None
        nodes = [self.world.nodes[name] for name in self.view.nodes if self.world.nodes[name].alive]
        counted = {node.name: {owner: len(them) for owner, them in node.misplaced(ring).items()} for node in nodes}
        bound = room(self.view, self.policy.c) if isinstance(self.policy, Keyed) else None
        return self.term.plan_by_key(counted, self.world.now, bound)

    def _say_frozen(self, frozen: str) -> None:
        if bool(frozen) != bool(self.frozen):
            self.world.say(f"{self.name}: moves freeze: {frozen}" if frozen else f"{self.name}: moves go on")
        self.frozen = frozen

    def _say_plan(self, plan: Plan, *, waiting: bool) -> None:
        if plan.quotas and not waiting and not self.moving:
            self.moving = True
            self.world.say(f"{self.name}: plans {plan.moves} moves: {plan.reason}")
            for quota in plan.quotas:
                self.world.say(f"  {quota.donor} > {quota.target}: {quota.count}")
        elif self.moving and not plan.quotas:
            self.moving = False
            self.world.say(f"{self.name}: done: {plan.reason}")


class World:
    """Time, the engine between members, and the clients."""

    def __init__(self, policy: str, seed: int) -> None:
        self.now = 0.0
        self.rng = Random(seed)
        self.policy = policy
        self.config = BalanceConfig()
        self.engine_up = True
        self.nodes: dict[NodeName, Node] = {}
        self.gateways: list[Gateway] = []
        self.moves: Counter[tuple[NodeName, NodeName]] = Counter()
        self.claims = 0
        self.retries = 0
        self.transcript: list[str] = []
        self._queue: list[tuple[float, int, Callable[[], object]]] = []
        self._count = 0
        self._clients = 0
        self._leader: Gateway | None = None
        self._lease_ends = 0.0
        self._round()

    def say(self, line: str) -> None:
        self.transcript.append(f"{self.now:8.2f}  {line}")

    def later(self, seconds: float, action: Callable[[], object]) -> None:
        self._count += 1
        heappush(self._queue, (self.now + seconds, self._count, action))

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self._queue and self._queue[0][0] <= end:
            self.now, _, action = heappop(self._queue)
            action()
        self.now = end

    def tell(self, report: Report) -> None:
        """Carry a report to everybody, unless the engine is away."""
        if self.engine_up:
            self.later(TRAVEL_S, lambda: self._everybody(lambda member: member.heard(report)))

    def _everybody(self, do: Callable[["Gateway | Node"], None]) -> None:
        for member in [*self.gateways, *self.nodes.values()]:
            if member.alive and self.engine_up:
                do(member)

    def connect(self, count: int, *, aware: bool, keyed: bool, over_s: float) -> None:
        for index in range(count):
            self._clients += 1
            number = self._clients
            client = Client(b"user-%d" % number if keyed else None, aware)
            self.later(over_s * index / count, lambda number=number, client=client: self.ask(number, client))

    def ask(self, number: int, client: Client) -> None:
        """A client without a ticket asks a gateway, any of them."""
        gateways = [gateway for gateway in self.gateways if gateway.alive]
        try:
            node, issuer = gateways[number % len(gateways)].place(client)
        except (NoNode, ZeroDivisionError):
            self._retry(number, client)
            return
        self.later(DIAL_S, lambda: self.arrive(number, client, node, issuer))

    def arrive(self, number: int, client: Client, name: NodeName, issuer: Issuer) -> None:
        node = self.nodes[name]
        if node.alive:
            node.accept(number, client, issuer)
        else:
            self._retry(number, client)

    def _retry(self, number: int, client: Client) -> None:
        self.retries += 1
        self.later(next_delay_s(client.attempt, self.rng), lambda: self.ask(number, client))
        client.attempt += 1

    def end(self, node: Node, *, withdraw: bool) -> None:
        """A node ends: with a word to everybody, or killed. Its clients come back by themselves."""
        node.alive = False
        if withdraw:
            name = node.name
            self.later(TRAVEL_S, lambda: [gateway.withdrawn(name) for gateway in self.gateways if gateway.alive])
        clients, node.clients = node.clients, {}
        for number, client in clients.items():
            self._retry(number, client)

    def _round(self) -> None:
        """The leader's lease: kept while its holder lives and the engine is up, free when it has run out."""
        if self._leader is not None and self._leader.alive and self.engine_up:
            self._lease_ends = self.now + self.config.lease_s
        elif self.now >= self._lease_ends and self.engine_up:
            if self._leader is not None:
                self._leader.term = None
            self._leader = next((gateway for gateway in self.gateways if gateway.alive), None)
            self._lease_ends = self.now + self.config.lease_s
        if self._leader is not None and self._leader.alive and self.now < self._lease_ends:
            self._leader.lead()
        self.later(ROUND_S, self._round)
