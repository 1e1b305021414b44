"""Membership under any order, delay and duplication of reports.

The world: members report each second (20 % jittered), and a report may come twice. Either reports are slow (they
travel 0 to 1.2 s, and overtake each other), or one of ten is lost (never two in a row of the same member), or neither;
the lease allows for one of these at a time. The observer ticks, may be stopped, and its engine may be away. It is given
monotonic time alone, so no wall clock can touch it.
"""

from dataclasses import dataclass, field
from random import Random

from hypothesis import example, given
from hypothesis import strategies as st

from ringway.core.membership import LEASE_S, MASS_LEASE_S, TICK_S, MemberJoined, MemberLeft, Membership, MembershipEvent
from ringway.protocol.report import Report
from sample import name, node_report

SLOW_S = 1.2
LENGTH_S = 30.0


@dataclass
class World:
    """Everything that reaches the observer, by time."""

    lossy: bool = False
    punctual: bool = False
    arrivals: list[tuple[float, Report]] = field(default_factory=list)
    last_arrival: dict[str, float] = field(default_factory=dict)

    def member(self, node: str, life: int, born: float, dies: float, chance: Random) -> None:
        now, seq, lost = born, 0, True
        while now < dies:
            seq += 1
            lost = self.lossy and not lost and chance.random() < 0.1
            if not lost:
                for _ in range(1 + (chance.random() < 0.2)):
                    arrives = now + chance.uniform(0.0, 0.08 if self.lossy or self.punctual else SLOW_S)
                    self.arrivals.append((arrives, node_report(node, seq, life)))
                    self.last_arrival[node] = max(arrives, self.last_arrival.get(node, 0.0))
            now += chance.uniform(0.8, 1.2)


def observe(
    world: World, *, stopped: tuple[float, float] = (-1.0, -1.0), away: tuple[float, float] = (-1.0, -1.0)
) -> tuple[Membership, list[tuple[float, MembershipEvent]]]:
    """Play the world; what comes while the observer is stopped waits, what comes while the engine is away is lost."""
    membership = Membership()
    events: list[tuple[float, MembershipEvent]] = []
    queue = sorted(world.arrivals, key=lambda arrival: arrival[0])
    now = 0.0
    while now < LENGTH_S:
        now += TICK_S
        if stopped[0] < now < stopped[1]:
            continue
        resumed = stopped[0] < now - TICK_S < stopped[1]
        membership.engine_up(not away[0] <= now < away[1], now)
        if resumed:  # at worst it judges first, and reads then what waited for it
            events += [(now, event) for event in membership.tick(now)]
        while queue and queue[0][0] <= now:
            at, report = queue.pop(0)
            if not away[0] <= at < away[1]:
                events += [(now, event) for event in membership.heard(report, now if resumed else at)]
        if not resumed:
            events += [(now, event) for event in membership.tick(now)]
    return membership, events


def lost(events: list[tuple[float, MembershipEvent]]) -> list[tuple[float, str, str]]:
    return [(at, event.report.name, event.cause) for at, event in events if isinstance(event, MemberLeft)]


seeds = st.integers(0, 10_000)
spans = st.tuples(st.floats(2.0, 12.0), st.floats(0.1, 12.0)).map(lambda span: (span[0], span[0] + span[1]))


@given(seeds, st.booleans(), spans, st.sampled_from(["nothing", "stopped", "away"]))
@example(0, False, (4.0, 10.0), "stopped")
@example(0, True, (4.0, 10.0), "away")
def test_no_living_member_is_ever_lost(seed: int, lossy: bool, span: tuple[float, float], fault: str) -> None:
    chance, world = Random(seed), World(lossy)
    for index in range(6):
        world.member(name(index), 1, chance.uniform(0.0, 1.0), 99.0, chance)
    faults = {fault: span} if fault != "nothing" else {}
    membership, events = observe(world, **faults)
    assert lost(events) == []
    assert len(membership.members) == 6
    assert sum(isinstance(event, MemberJoined) for _, event in events) == 6


@given(seeds, st.sampled_from(["punctual", "slow", "lossy"]), st.floats(3.0, 20.0))
def test_a_killed_member_is_gone_after_the_lease_and_a_tick(seed: int, reports: str, dies: float) -> None:
    """Where reports of others are late or lost at that time, it may look like a silence of many, and take longer."""
    punctual = reports == "punctual"
    chance, world = Random(seed), World(lossy=reports == "lossy", punctual=punctual)
    for index in range(3):
        world.member(name(index), 1, chance.uniform(0.0, 1.0), dies if index == 0 else 99.0, chance)
    _, events = observe(world)
    assert [(who, cause) for _, who, cause in lost(events)] == [("n0", "silent")]
    at = lost(events)[0][0]
    heard = world.last_arrival["n0"]
    assert heard + LEASE_S < at + 1e-6
    assert at <= heard + (LEASE_S if punctual else MASS_LEASE_S) + TICK_S + 1e-6


@given(seeds, st.integers(2, 8), st.floats(3.0, 12.0), st.floats(0.0, 1.0))
def test_a_partition_of_most_nodes_is_outlived(seed: int, nodes: int, begins: float, lasts_s: float) -> None:
    """Half of the nodes or more are not heard for up to a second more than the lease: nobody is lost."""
    chance, world = Random(seed), World(punctual=True)
    away = chance.randint(max(2, (nodes + 1) // 2), nodes) if nodes > 2 else 2
    for index in range(nodes):
        world.member(name(index), 1, chance.uniform(0.0, 1.0), 99.0, chance)
    ends = begins + LEASE_S + lasts_s
    silent = {name(index) for index in range(away)}
    world.arrivals = [
        (at, report) for at, report in world.arrivals if report.name not in silent or not begins <= at < ends
    ]
    _, events = observe(world)
    assert lost(events) == []


@given(seeds, st.integers(2, 8), st.floats(3.0, 12.0))
def test_when_most_nodes_die_together_they_are_given_up_all_the_same(seed: int, nodes: int, dies: float) -> None:
    chance, world = Random(seed), World(punctual=True)
    dead = chance.randint((nodes + 1) // 2, nodes)
    for index in range(nodes):
        world.member(name(index), 1, chance.uniform(0.0, 1.0), dies if index < dead else 99.0, chance)
    _, events = observe(world)
    assert {who for _, who, _ in lost(events)} == {name(index) for index in range(dead)}
    assert all(at <= dies + MASS_LEASE_S + 0.1 + TICK_S for at, _, _ in lost(events))


@given(seeds, st.floats(3.0, 10.0), st.floats(0.0, 8.0))
def test_late_reports_of_a_former_life_do_not_harm_the_present_one(seed: int, dies: float, pause_s: float) -> None:
    """A member is killed and starts again, at once or after it was given up; reports of its former life come later."""
    chance, world = Random(seed), World()
    world.member("n0", 1, 0.0, dies, chance)
    former = node_report("n0", 999, life=1)
    born = dies + pause_s
    world.member("n0", 2, born, 99.0, chance)
    for _ in range(3):
        world.arrivals.append((born + SLOW_S + chance.uniform(0.3, 5.0), former))
    membership, events = observe(world)
    assert len(lost(events)) == 1
    present = node_report("n0", life=2).incarnation
    assert [report.incarnation for report in membership.members.values()] == [present]
    assert [event.report.incarnation for _, event in events if isinstance(event, MemberJoined)] == [
        former.incarnation,
        present,
    ]


@given(seeds)
def test_a_wall_clock_has_no_say(seed: int) -> None:
    """Shifting all monotonic time changes nothing but the times: only differences count."""
    chance, world = Random(seed), World()
    for index in range(3):
        world.member(name(index), 1, 0.0, chance.choice([7.0, 99.0]), chance)
    membership, shifted = Membership(), Membership()
    for now in (step * TICK_S for step in range(80)):
        due = [report for at, report in world.arrivals if now - TICK_S < at <= now]
        one = membership.tick(now) + [event for report in due for event in membership.heard(report, now)]
        base = float(2**30)
        other = shifted.tick(base + now) + [event for report in due for event in shifted.heard(report, base + now)]
        assert one == other
