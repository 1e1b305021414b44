"""Cost of the members' reports to a gateway and a node, with up to a thousand members.

One real gateway and one real node, each a process of its own, on one engine; all other members are nodes that only
report, from one process (`control_members.py`). The gateway leads, knocks at every node, and plans each second; the
loads of the nodes are even, so it orders nothing. The phases:

- *join*: all nodes join within two seconds;
- *calm*: they report, a beat a second each;
- *one joins*: three further nodes join, one by one;
- *moving*: a tenth of the nodes move connections to all other nodes (reported, not made);
- *start*: a gateway and a node start while all are there.

Processor time is that of the whole process, by the scheduler. The longest turn of the event loop is measured in
processor time of its thread, in steps of 2 ms (`control_process.py`): the machine's other work is not in it. It is in
the lateness of the loop, which is shown beside the lateness of an idle process.

On a machine that others use, the same work takes more processor time than at its best: caches and cores are shared. The
last column says how many times more a fixed piece of work took in that phase; the bounds are for processor time divided
by it.

    scripts/bench control [--members 10,100,300,1000] [--engines nats,redis] [--policies two-choices,rendezvous,...]
    scripts/bench control --profile --members 1000 --engines nats --policies two-choices
"""

import itertools
import json
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop
from rich.progress import Progress

from report import Claim, Result, parser, publish
from ringway.core.placement.catalog import POLICIES
from ringway.engine.nats.embedded import EmbeddedNats
from support.redis_server import RedisServer
from support.system import free_port

HERE = Path(__file__).parent
MEMBERS = (10, 100, 300, 1000)
ENGINES = ("nats", "redis")
JOIN_S = 2.0
WINDOW_S = 10.0
SETTLE_S = 4.0
"""Time after the start of a process, or of a phase, before it is measured."""

KNOCKED_S = 180.0
"""The time for a gateway's knocks at all nodes; on a machine that is overloaded they are repeated with pauses."""

ONE_MORE = 3
DONORS_PARTS = 10
SECRET = secrets.token_hex(16)

NODE_CALM_PERCENT, GATEWAY_CALM_PERCENT, GATEWAY_MOVING_PERCENT, TURN_MS = 0.5, 5.0, 10.0, 20.0


class Peer:
    """A process that obeys JSON lines."""

    def __init__(self, log: Path, script: str, *arguments: str) -> None:
        self._log = log.open("ab")
        command = [sys.executable, str(HERE / script), *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log)

    def ask(self, do: str, **more: Any) -> dict[str, Any]:
        """Return the answer to a request."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": do, **more}).encode() + b"\n")
        self.process.stdin.flush()
        return dict(json.loads(self.read_line()))

    def read_line(self) -> bytes:
        """Return the next line that it prints."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args!r} ended with code {self.process.wait()}: see {self._log.name}")
        return line

    def cpu_s(self) -> float:
        """The processor time of its threads until now."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def end(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.wait()
        self._log.close()


@dataclass(frozen=True, slots=True)
class Cost:
    """What a phase cost one process."""

    cpu_percent: float
    kb_per_s: float
    turn_ms: float
    late_ms: float


@dataclass(frozen=True, slots=True)
class Phase:
    """What a phase cost."""

    name: str
    gateway: Cost
    node: Cost
    idle_late_ms: float
    slowness: float


class Trial:
    """One engine, one policy and one number of members, phase by phase."""

    def __init__(self, url: str, policy: str, members: int, window_s: float, directory: Path) -> None:
        self._url = url
        self._policy = policy
        self._members = members
        self._window_s = window_s
        self._directory = directory
        self._engine_port = int(url.rpartition(":")[2].partition("/")[0])
        self._watched: list[Peer] = []
        self._idle = Peer(directory / "idle.log", "control_process.py", "idle")
        self._fakes = Peer(directory / "fakes.log", "control_members.py", url, SECRET)
        self._fakes.read_line()

    def phases(self) -> Iterator[Phase]:
        """Make the phases, one by one."""
        self._start()
        time.sleep(SETTLE_S)
        yield self._watch("join", self._join, SETTLE_S)
        yield self._steady("calm")
        yield self._watch("one joins", self._join_more, SETTLE_S / 2)
        self._fakes.ask("move", donors=max(1, self._members // DONORS_PARTS))
        time.sleep(SETTLE_S)
        yield self._steady("moving")
        self._fakes.ask("move", donors=0)
        self._end_watched()
        time.sleep(SETTLE_S)
        yield self._watch("start", self._start_among, SETTLE_S)

    def profile(self) -> str:
        """Return the profile of the gateway while it is calm, and while connections move."""
        self._start()
        time.sleep(SETTLE_S)
        self._join()
        said = []
        for donors in (0, max(1, self._members // DONORS_PARTS)):
            self._fakes.ask("move", donors=donors)
            time.sleep(SETTLE_S * 2)
            self._watched[0].ask("profile")
            time.sleep(self._window_s)
            profiled = self._watched[0].ask("profiled")
            longest = f"longest turn {profiled['turn_ms']:.1f} ms, collection {profiled['collection_ms']:.1f} ms"
            said.append(f"{donors} donors, {longest}\n{profiled['profile']}")
        return "\n".join(said)

    def end(self) -> None:
        """End all processes."""
        self._end_watched()
        self._fakes.end()
        self._idle.end()

    def _start(self) -> None:
        """Start the gateway and the node."""
        options = {"gateway": ("--policy", self._policy), "node": ("--weight", "0", "--insecure")}
        for role, own in options.items():
            common = ("--engine", self._url, "--secret", SECRET, "--port", f"{free_port()}", "--no-admin-enabled")
            log = self._directory / f"{role}.log"
            self._watched.append(Peer(log, "control_process.py", role, *common, "--name", f"{role}-1", *own))

    def _end_watched(self) -> None:
        while self._watched:
            self._watched.pop().end()

    def _start_among(self) -> None:
        """Start the gateway and the node while all other members are there."""
        knocks = self._knocks()
        self._start()
        self._wait_knocked(knocks)

    def _join(self) -> None:
        knocks = self._knocks()
        self._fakes.ask("join", first=0, count=self._members, within_s=JOIN_S)
        self._wait_knocked(knocks)

    def _knocks(self) -> int:
        return int(self._fakes.ask("count")["knocks"])

    def _wait_knocked(self, before: int) -> None:
        """Return when the gateway has knocked at all nodes."""
        deadline = time.monotonic() + KNOCKED_S
        while (knocked := self._knocks() - before) < self._members:
            if time.monotonic() > deadline:
                raise RuntimeError(f"the gateway has knocked at {knocked} of {self._members} nodes")
            time.sleep(0.2)

    def _join_more(self) -> None:
        for number in range(ONE_MORE):
            self._fakes.ask("join", first=self._members + number, count=1, within_s=0)
            time.sleep(SETTLE_S / 2)

    def _watch(self, name: str, action: Callable[[], None], settle_s: float) -> Phase:
        """Watch the loops from the beginning of `action` until `settle_s` after its end."""
        for peer in [*self._watched, self._idle]:
            peer.ask("watch")
        self._idle.ask("slowness")
        used, began = [peer.cpu_s() for peer in self._watched], time.monotonic()
        action()
        if not used:  # the action has started them
            used = [0.0, 0.0]
            for peer in self._watched:
                peer.ask("watch")
        time.sleep(settle_s)
        lasted = time.monotonic() - began
        cpu = [peer.cpu_s() - before for peer, before in zip(self._watched, used, strict=True)]
        slowness = self._idle.ask("slowness")["times"]
        *watched, idle = (peer.ask("watched") for peer in [*self._watched, self._idle])
        gateway, node = (
            Cost(100 * cpu_s / lasted, 0.0, turns["turn_ms"], turns["late_ms"])
            for cpu_s, turns in zip(cpu, watched, strict=True)
        )
        return Phase(name, gateway, node, idle["late_ms"], slowness)

    def _steady(self, name: str) -> Phase:
        """Count time and bytes over one window, and watch the loops over a second: the watch costs time itself."""
        self._idle.ask("slowness")
        received = self._received()
        used, began = [peer.cpu_s() for peer in self._watched], time.monotonic()
        time.sleep(self._window_s)
        lasted = time.monotonic() - began
        cpu = [(peer.cpu_s() - before) / lasted for peer, before in zip(self._watched, used, strict=True)]
        kb = [(now - before) / lasted / 1000 for now, before in zip(self._received(), received, strict=True)]
        slowness = self._idle.ask("slowness")["times"]
        turns = self._watch(name, lambda: None, self._window_s / 2)
        gateway, node = (
            Cost(100 * share, kb_per_s, watched.turn_ms, watched.late_ms)
            for share, kb_per_s, watched in zip(cpu, kb, (turns.gateway, turns.node), strict=True)
        )
        return Phase(name, gateway, node, turns.idle_late_ms, (2 * slowness + turns.slowness) / 3)

    def _received(self) -> list[int]:
        return [peer.ask("received", port=self._engine_port)["bytes"] for peer in self._watched]


@contextmanager
def engine_of(kind: str, directory: Path) -> Iterator[str]:
    """Run an engine; yield its URL."""
    if kind == "redis":
        redis = RedisServer(directory)
        redis.start()
        try:
            yield redis.url
        finally:
            redis.kill()
        return
    nats = EmbeddedNats(directory)
    uvloop.run(nats.start())
    try:
        yield nats.url
    finally:
        uvloop.run(nats.stop())


@contextmanager
def trial_of(engine: str, policy: str, members: int, window_s: float) -> Iterator[Trial]:
    """Run an engine and the processes of a trial on it."""
    with tempfile.TemporaryDirectory() as directory, engine_of(engine, Path(directory) / "engine") as url:
        trial = Trial(url, policy, members, window_s, Path(directory))
        try:
            yield trial
        finally:
            trial.end()


def row_of(engine: str, policy: str, members: int, phase: Phase) -> list[Any]:
    """Return the row of a phase."""
    gateway, node = phase.gateway, phase.node
    return [
        f"{engine} {policy}", members, phase.name, gateway.cpu_percent, node.cpu_percent, gateway.kb_per_s or "",
        node.kb_per_s or "", gateway.turn_ms, node.turn_ms, gateway.late_ms, node.late_ms, phase.idle_late_ms,
        phase.slowness,
    ]  # fmt: skip


def claims_of(engine: str, policy: str, phases: dict[str, Phase]) -> list[Claim]:
    """Return the claims about a thousand members."""
    where = f"{engine}, {policy}"
    claims = [
        Claim(f"{where}: longest turn of {who}, ms", longest, at_most=TURN_MS)
        for who, longest in (
            ("the gateway", max(phase.gateway.turn_ms / phase.slowness for phase in phases.values())),
            ("the node", max(phase.node.turn_ms / phase.slowness for phase in phases.values())),
        )
    ]
    if policy == "two-choices":
        calm, moving = phases["calm"], phases["moving"]
        claims += [
            Claim(f"{where}: {what}, % of a core", cost.cpu_percent / phase.slowness, at_most=percent)
            for what, phase, cost, percent in (
                ("node, calm", calm, calm.node, NODE_CALM_PERCENT),
                ("gateway, calm", calm, calm.gateway, GATEWAY_CALM_PERCENT),
                ("gateway, moving", moving, moving.gateway, GATEWAY_MOVING_PERCENT),
            )
        ]
    return claims


def main() -> None:
    """Run the benchmark."""
    flags = parser("What the members' reports cost a gateway and a node, with up to a thousand members.")
    flags.add_argument("--members", default=",".join(map(str, MEMBERS)), help="numbers of nodes")
    flags.add_argument("--engines", default=",".join(ENGINES), help="engines")
    flags.add_argument("--policies", default=",".join(name for name in POLICIES if name != "score"), help="policies")
    flags.add_argument("--seconds", type=float, default=WINDOW_S, help="how long a steady phase is measured")
    flags.add_argument("--profile", action="store_true", help="print where the time of the gateway goes instead")
    given = flags.parse_args()
    window_s = 4.0 if given.quick else given.seconds
    members = [100] if given.quick else [int(word) for word in given.members.split(",")]
    engines, policies = given.engines.split(","), given.policies.split(",")
    if given.quick:
        policies = policies[:1]
    chosen = [
        (engine, policy, many)
        for engine, policy, many in itertools.product(engines, policies, members)
        if policy == policies[0] or (many == max(members) and engine == engines[0])
    ]
    if given.profile:
        for engine, policy, many in chosen:
            with trial_of(engine, policy, many, window_s) as trial:
                print(trial.profile())
        return
    result = Result(
        "control: what the reports of members cost",
        [
            "", "nodes", "phase", "CPU %, gateway", "CPU %, node", "KB/s, gateway", "KB/s, node", "turn ms, gateway",
            "turn ms, node", "late ms, gateway", "late ms, node", "late ms, idle", "slow- ness",
        ],
    )  # fmt: skip
    result.settings = {"window_s": window_s, "join_s": JOIN_S, "donors": "a tenth", "moves": "none is ordered"}
    with Progress(transient=True) as progress:
        bar = progress.add_task("trials", total=len(chosen) * 5)
        for engine, policy, many in chosen:
            phases = {}
            with trial_of(engine, policy, many, window_s) as trial:
                for phase in trial.phases():
                    phases[phase.name] = phase
                    result.rows.append(row_of(engine, policy, many, phase))
                    progress.update(bar, advance=1, description=f"{engine}, {policy}, {many}, {phase.name}")
            if many == 1000:
                result.claims += claims_of(engine, policy, phases)
    publish(result, given.json)


if __name__ == "__main__":
    main()
