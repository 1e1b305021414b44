"""Cost of one beat at a gateway, step by step, and of a leader's round: processor time, without engine and sockets.

A thousand nodes have joined. Their beats are read in batches, as `net.paced_reading` reads them, and each step is
measured with all that comes before it. The whole path is that of the running gateway: proof, report, membership, load
view, clocks, and all listeners. *Cold* is with other memory used between two batches, as in a second of a process that
does more than to read reports; *warm* is without.

    scripts/bench beats [--nodes 1000] [--rounds 6]
"""

import gc
import random
import time
from collections.abc import Callable, Iterator

from control_members import FakeNode
from report import Result, parser, publish
from ringway.app.shutdown import YOUNG_MAX
from ringway.core.balance.config import BalanceConfig
from ringway.core.balance.leader_round import LeaderRound
from ringway.core.move_outcomes import OutcomeCounters
from ringway.core.report_reader import ReportReader
from ringway.engine.memory.engine import MemoryHub
from ringway.gateway.cluster.control import GatewayControl
from ringway.gateway.cluster.directory import Directory
from ringway.gateway.config import GatewayConfig
from ringway.gateway.server import Gateway
from ringway.logger import SILENT, logging_to
from ringway.member.feed import Feed
from ringway.protocol.group import CHANNELS
from ringway.protocol.keyring import Keyring, Purpose
from ringway.protocol.seal import Unsealer
from ringway.protocol.ticket import TicketSigner
from ringway.types import Issuer, NodeName, Role

BATCH = 50
OTHER_BYTES = 8 << 20
"""The memory that is read between two batches: more than the caches that belong to one core."""

KEYRING = Keyring(b"a secret of 32 bytes, as it is.")
Message = tuple[NodeName, bytes]


class Members:
    """Nodes that report; a tenth of them moves clients if `moving`."""

    def __init__(self, count: int, rng: random.Random, *, moving: bool) -> None:
        self.nodes = [FakeNode(number, "ws://10.0.0.1", KEYRING, rng) for number in range(count)]
        self._rng = rng
        self._donors = self.nodes[: count // 10] if moving else []
        self._targets = self.nodes[len(self._donors) :]
        for donor in self._donors:
            for target in self._targets:
                target.take(Issuer(donor.incarnation), 0)

    def messages(self, now: float) -> list[Message]:
        """Return one message of each, in a new order."""
        for donor in self._donors:
            donor.give(self._rng.sample(self._targets, 9))
        return [(node.name, node.report(now)) for node in self._rng.sample(self.nodes, len(self.nodes))]


class Receiver:
    """A gateway that hears the members, and nothing else."""

    def __init__(self, rng: random.Random) -> None:
        self.now = 0.0
        reader = ReportReader(Unsealer(KEYRING, Purpose.REPORT))
        self.directory = Directory(Issuer("ffffffff"), reader, self._clock)
        self._gateway = Gateway(GatewayConfig(), self.directory, TicketSigner(KEYRING), rng, clock=self._clock)
        self._control = GatewayControl(
            NodeName("gateway-1"), self.directory, rng, MemoryHub().open(), clock=self._clock
        )
        self.leader = LeaderRound(BalanceConfig(), self.directory.groups[CHANNELS].view)
        self.outcomes = OutcomeCounters()

    def _clock(self) -> float:
        return self.now

    def trust_all(self) -> None:
        """Let all nodes in, as if they had answered a knock."""
        self.directory.groups.believe(list(self.directory.groups.nodes))

    def hear(self, messages: list[Message]) -> None:
        """Receive messages."""
        for name, raw in messages:
            self.directory.feed.on_message(Role.NODE, name, raw)

    def round(self) -> Iterator[Callable[[], object]]:
        """Yield the turns of a leader's round (`Balancer._round`)."""
        view, leader, now = self.directory.groups[CHANNELS].view, self.leader, self.now
        yield lambda: leader.settling(now)
        yield lambda: self.outcomes.observe([node.report for node in view.nodes.values() if node.report is not None])
        yield lambda: leader.frozen(now)
        parts = leader.observe(now)
        for _ in range(1 + len(view.nodes) // 200):
            yield lambda: next(parts, None)
        yield lambda: leader.plan(now)


class Steps:
    """The first steps of the path, each with all before it."""

    def __init__(self) -> None:
        self._unsealer = Unsealer(KEYRING, Purpose.REPORT)
        self._reader = ReportReader(self._unsealer)
        self._feed = Feed(ReportReader(Unsealer(KEYRING, Purpose.REPORT)))

    def unseal(self, messages: list[Message]) -> None:
        """Prove messages."""
        for name, raw in messages:
            self._unsealer.unseal(name.encode(), raw)

    def read(self, messages: list[Message]) -> None:
        """Prove messages, and make their reports."""
        for name, raw in messages:
            self._reader.read(name, raw, time.time())

    def follow(self, messages: list[Message]) -> None:
        """Prove messages, make their reports, and keep the members that they name."""
        for name, raw in messages:
            self._feed.on_message(Role.NODE, name, raw)


def cost_us(hear: Callable[[list[Message]], None], messages: list[Message], *, cold: bool) -> float:
    """Return the processor time of one message in µs."""
    used_ns = 0
    other = bytearray(OTHER_BYTES)
    for start in range(0, len(messages), BATCH):
        if cold:
            other = other.translate(None)
        began = time.thread_time_ns()
        hear(messages[start : start + BATCH])
        used_ns += time.thread_time_ns() - began
    return used_ns / len(messages) / 1000


def turns_ms(receiver: Receiver) -> list[float]:
    """Return the processor time of each turn of a leader's round, in ms."""
    times = []
    for turn in receiver.round():
        began = time.thread_time_ns()
        turn()
        times.append((time.thread_time_ns() - began) / 1e6)
    return times


def measure(nodes: int, rounds: int, result: Result, *, moving: bool) -> None:
    """Add the rows of one situation."""
    rng = random.Random(1)  # the same beats in each run
    members, receiver, steps = Members(nodes, rng, moving=moving), Receiver(rng), Steps()
    ways = {"proof": steps.unseal, "and report": steps.read, "and membership": steps.follow, "all": receiver.hear}
    warm: dict[str, list[float]] = {name: [] for name in ways}
    cold: dict[str, list[float]] = {name: [] for name in ways}
    turns: list[list[float]] = []
    for number in range(2 * rounds + 1):
        receiver.now += 1.0
        messages = members.messages(receiver.now)
        times = (warm, cold)[number % 2]
        for name, hear in ways.items():
            cost = cost_us(hear, messages, cold=bool(number % 2))
            if number:
                times[name].append(cost)
        if not number:
            receiver.trust_all()
            gc.collect()
            gc.freeze()
        receiver.directory.tick()
        turns.append(turns_ms(receiver))
    situation = "moving" if moving else "calm"
    for name in ways:
        result.rows.append([f"{situation}: {name}", min(warm[name]), min(cold[name])])
    whole = [sum(turn) for turn in turns[1:]]
    result.rows.append([f"{situation}: a leader's round, ms", min(whole), ""])
    result.rows.append([f"{situation}: its longest turn, ms", min(max(turn) for turn in turns[1:]), ""])


def main() -> None:
    """Run the benchmark."""
    flags = parser("The cost of one beat at a gateway, step by step, and of a leader's round.")
    flags.add_argument("--nodes", type=int, default=1000, help="nodes that report")
    flags.add_argument("--rounds", type=int, default=6, help="seconds of reports, of which the best counts")
    given = flags.parse_args()
    nodes, rounds = (100, 2) if given.quick else (given.nodes, given.rounds)
    result = Result(f"beats: {nodes} nodes, µs a beat", ["", "warm", "cold"])
    gc.set_threshold(YOUNG_MAX, *gc.get_threshold()[1:])  # as in each process of ringway
    with logging_to(lambda event: None, SILENT):
        for moving in (False, True):
            measure(nodes, rounds, result, moving=moving)
    result.settings = {"nodes": nodes, "rounds": rounds}
    publish(result, given.json)


if __name__ == "__main__":
    main()
