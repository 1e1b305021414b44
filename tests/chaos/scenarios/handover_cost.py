"""Cost of a move: CPU of donor and target together, and the rate of moves between two nodes.

All clients of the first node are ordered to the second node at once, `faults` times to and fro. CPU is that of both
processes by /proc, less the CPU of the same load in a calm of the same length.
"""

import os
import time
from pathlib import Path

from chaos.order import Orders
from chaos.scenario import FOLLOWING, UNINTERRUPTED, Outcome, Size, Stage, stage
from report import Claim
from support.system import System

FREE = {"RINGWAY_NODE_MOVE_COOL_DOWN_S": "0", "RINGWAY_BALANCE_SETTLE_S": "3600"}
FULL = Size(
    publishers=UNINTERRUPTED,
    clients=2000,
    rate=20,
    channels=50,
    kinds=("follow",),
    nodes=2,
    faults=4,
    processes=1,
    environ=FREE,
)
SMALL = Size(publishers=UNINTERRUPTED, clients=60, rate=50, kinds=FOLLOWING, nodes=2, faults=2, environ=FREE)
CALM_S = 2.0
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_s(pids: list[int]) -> float:
    """User and system time of the processes so far."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(each[11]) + int(each[12]) for each in fields) / TICKS


def run(size: Size, system: System | None = None) -> Outcome:
    """Move all clients to and fro, and judge."""
    with stage(size, system) as on, Orders(on.system) as orders:
        on.system.ringway("freeze")
        donor, target = sorted(on.faults.nodes())[:2]
        _move_all(on, orders, donor, target)
        pids = [on.system.pid_of(name) for name in (donor, target)]
        moves, took_s, used_s = 0, 0.0, 0.0
        for _ in range(size.faults):
            donor, target = target, donor
            before = cpu_s(pids)
            time.sleep(CALM_S)
            calm_share = (cpu_s(pids) - before) / CALM_S
            before, began = cpu_s(pids), time.monotonic()
            moves += _move_all(on, orders, donor, target)
            duration_s = time.monotonic() - began
            used_s += cpu_s(pids) - before - calm_share * duration_s
            took_s += duration_s
        on.system.ringway("unfreeze")
        rate, cost_ms = moves / took_s, 1000 * used_s / moves
        outcome = on.outcome("handover_cost", size, moves=moves, moves_per_s=rate, cpu_ms_per_move=cost_ms)
    outcome.claim_unnoticed(*FOLLOWING, silence_s=5.0)
    if size.clients >= 1000:
        outcome.paces += [Claim("CPU ms per move", cost_ms, at_most=1.0), Claim("moves per s", rate, at_least=500)]
    return outcome


def _move_all(on: Stage, orders: Orders, donor: str, target: str) -> int:
    """Order all clients of `donor` to `target`, and return their number when they have arrived."""
    count = int(on.faults.nodes()[donor]["connections"])
    on.faults.note(f"move {count} from {donor} to {target}")
    orders.move(donor, target, count, 0.0)

    def arrived() -> bool:
        nodes = on.faults.nodes()
        return nodes[donor]["connections"] <= len(on.load.load.publishers) and on.load.all_subscribed()

    on.load.wait(arrived, "everybody to be moved")
    return count
