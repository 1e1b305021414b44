"""Cost of one attacker to a node, in CPU, memory and disk, and the delays of a busy neighbour.

A system of its own for each attack (`ringway up`, one node); attackers and neighbour are processes of their own. Quiet
rounds and rounds with the attack take turns, so that a noisy moment hits both; the neighbour's p99 is that of all
deliveries of either kind. Peak memory is the kernel's count (VmHWM), reset before the first attack; the memory that the
node has released is read a while after the last attack.

    scripts/bench abuse [--only history,publish] [--attackers 1] [--rounds 3]
"""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from rich.progress import Progress

from abuse_attacks import ATTACKS, Attack
from report import Claim, Result, parser, percentile, publish
from support.system import System, running_system

HERE = Path(__file__).parent
MIB = 2**20
ROUND_S = 2.5
SETTLE_S = 3.0
TICKS = os.sysconf("SC_CLK_TCK")


class Helper:
    """A process that obeys lines."""

    def __init__(self, script: str, *arguments: object) -> None:
        command = [sys.executable, str(HERE / script), *map(str, arguments)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.hear()

    def tell(self, word: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()

    def hear(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} ended")
        return line

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


class Measured:
    """One process of the system, with its use of resources."""

    def __init__(self, pid: int) -> None:
        self._root = Path(f"/proc/{pid}")

    def cpu_s(self) -> float:
        fields = (self._root / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident_mib(self, what: str = "VmRSS") -> float:
        lines = (self._root / "status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith(what)).split()[1]) / 1024

    def reset_peak(self) -> None:
        (self._root / "clear_refs").write_text("5")


def stored_mib(system: System) -> float:
    files = (path for path in system.state.rglob("*") if "jetstream" in path.parts)
    return sum(path.stat().st_blocks * 512 for path in files if path.is_file()) / MIB


def kernel_mib() -> float:
    """The memory of TCP, on the whole machine."""
    lines = Path("/proc/net/sockstat").read_text().splitlines()
    words = next(line for line in lines if line.startswith("TCP:")).split()
    return int(words[words.index("mem") + 1]) * os.sysconf("SC_PAGE_SIZE") / MIB


def outcome(seen: Counter[str], rounds: int) -> str:
    """The outcome of the attackers, in a few words."""
    words = [
        f"{what} x {count}" for what, count in sorted(seen.items()) if what.startswith(("closed", "cut", "refused"))
    ]
    words += [f"{what} x {count}" for what, count in sorted(seen.items()) if what.startswith("error")]
    served = seen["bytes"] / MIB / rounds / ROUND_S
    return ", ".join([*words, f"{served:.1f} MiB/s answered"])


def measure(attack: Attack, attackers: int, rounds: int) -> tuple[list[object], dict[str, float]]:
    """Return the attack's row of the table, and the numbers that claims are made of."""
    with running_system(nodes=1) as system:
        port = int(system.nodes()["node-1"]["url"].rpartition(":")[2].partition("/")[0])
        node, engine = Measured(system.pid_of("node-1")), Measured(system.pid_of("nats"))
        helpers = [Helper("abuse_neighbour.py", port)]
        try:
            time.sleep(1.0)
            before = node.resident_mib()
            helpers.append(Helper("abuse_attacker.py", port, attack.name, attackers))
            neighbour, attacker = helpers
            time.sleep(SETTLE_S)
            stored = stored_mib(system)
            node.reset_peak()
            delays: dict[bool, list[float]] = {False: [], True: []}
            used = {False: [0.0, 0.0], True: [0.0, 0.0]}
            seen: Counter[str] = Counter()
            kernel = 0.0
            neighbour.tell("")
            neighbour.hear()
            for number in range(2 * rounds):
                attacked = number % 2 == 1
                began = node.cpu_s(), engine.cpu_s()
                if attacked:
                    quiet = kernel_mib()
                    attacker.tell("go")
                time.sleep(attack.seconds or ROUND_S)
                neighbour.tell("")
                delays[attacked] += json.loads(neighbour.hear())
                used[attacked][0] += node.cpu_s() - began[0]
                used[attacked][1] += engine.cpu_s() - began[1]
                if attacked:
                    kernel = max(kernel, kernel_mib() - quiet)
                    attacker.tell("stop")
                    seen.update(json.loads(attacker.hear()))
                    time.sleep(1.0)
                    neighbour.tell("")
                    neighbour.hear()
            peak = node.resident_mib("VmHWM")
            time.sleep(SETTLE_S)
            after = node.resident_mib()
            grown = stored_mib(system) - stored
        finally:
            for helper in helpers:
                helper.end()
    took_s = rounds * (attack.seconds or ROUND_S)
    p99 = {attacked: percentile(sorted(found), 0.99) for attacked, found in delays.items()}
    numbers = {
        "peak": peak - before,
        "after": after - before,
        "ratio": p99[True] / p99[False],
        "node": (used[True][0] - used[False][0]) / took_s,
        "engine": (used[True][1] - used[False][1]) / took_s,
    }
    row = [
        attack.name,
        100 * numbers["node"],
        100 * numbers["engine"],
        numbers["peak"],
        numbers["after"],
        kernel,
        grown / took_s,
        p99[False],
        p99[True],
        outcome(seen, rounds),
    ]
    return row, numbers


def main() -> None:
    """Run the benchmark."""
    flags = parser("What one attacker costs a node, and what its neighbour notices.")
    flags.add_argument("--only", help="these attacks alone, with commas between")
    flags.add_argument("--attackers", type=int, default=1, help="how many attack at one time")
    flags.add_argument("--rounds", type=int, default=3, help=f"rounds of {ROUND_S:g} s with the attack, and without")
    arguments = flags.parse_args()
    rounds = 1 if arguments.quick else arguments.rounds
    chosen = arguments.only.split(",") if arguments.only else [attack.name for attack in ATTACKS]
    unknown = set(chosen) - {attack.name for attack in ATTACKS}
    if unknown:
        raise SystemExit(f"there is no attack {', '.join(sorted(unknown))}")
    result = Result(
        f"abuse: {arguments.attackers} attacker(s) at one node",
        [
            "attack",
            "node CPU, %",
            "engine CPU, %",
            "peak, MiB",
            "after, MiB",
            "kernel, MiB",
            "disk, MiB/s",
            "p99 quiet, ms",
            "p99, ms",
            "what became of it",
        ],
    )
    with Progress(transient=True) as progress:
        bar = progress.add_task("", total=len(chosen))
        for attack in ATTACKS:
            if attack.name not in chosen:
                continue
            progress.update(bar, description=attack.name)
            row, numbers = measure(attack, arguments.attackers, rounds)
            result.rows.append(row)
            result.claims += [
                Claim(f"{attack.name}: memory above before, MiB", numbers["peak"], at_most=32.0),
                Claim(f"{attack.name}: memory kept after, MiB", numbers["after"], at_most=16.0),
                Claim(f"{attack.name}: neighbour's p99, ratio to quiet", numbers["ratio"], at_most=2.0),
            ]
            progress.advance(bar)
    result.settings = {"attackers": arguments.attackers, "rounds": rounds, "round_s": ROUND_S}
    publish(result, arguments.json)


if __name__ == "__main__":
    main()
