"""Scenario: a size, a run on a system of its own, and claims about the outcome.

A scenario is a module of `chaos.scenarios` with a docstring, `FULL` and `SMALL` (sizes) and `run(size, system)`.
A running system that is given is used, and left as it was: healthy, with the same nodes.
"""

import importlib
import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from random import Random
from types import ModuleType
from typing import Any

from chaos import scenarios
from chaos.fault import Faults
from chaos.workload import FORGOTTEN, HISTORY, KEPT, Load, Report, Workload, running_load
from report import Claim, percentile
from support.fleet import running_fleet
from support.system import System, running_system

BOTH = (KEPT, FORGOTTEN)
FOLLOWING = ("proxy", "follow", "far", "socket")
"""The kinds of clients whose applications see nothing of a planned move."""

ALL = (*FOLLOWING, "sdk")
UNINTERRUPTED = ("follow", "far", "proxy", "proxy")
"""Publishers that are answered during planned moves too."""

PATIENT = {"RINGWAY_UP_READY_S": "60"}

HASTY = {
    "RINGWAY_BALANCE_SETTLE_S": "1",
    "RINGWAY_BALANCE_MOVES_SHARE_PER_S": "0.5",
    "RINGWAY_NODE_DRAIN_WITHIN_S": "20",
    "RINGWAY_NODE_PING_INTERVAL_S": "2",
    "RINGWAY_NODE_PONG_TIMEOUT_S": "1",
}
"""Settings of the small runs: waits are seconds. All runs have the same, so that they can share a system."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """The size of a run; the scenario says which fields it uses."""

    clients: int
    rate: float
    kinds: tuple[str, ...] = ALL
    channels: int = 20
    filling: int = 64
    publishers: tuple[str, ...] = ("sdk", "sdk", "follow", "proxy")
    nodes: int = 3
    faults: int = 1
    seconds: float = 5.0
    processes: int = 1
    seed: int = 1
    prefixes: tuple[str, ...] = BOTH
    environ: dict[str, str] = field(default_factory=dict)
    engine: str = ""
    """The servers of the engine, by their name among `support.fleet.FLEETS`; empty: NATS by `ringway up`."""

    def load(self, **changes: Any) -> Load:
        """The load of this size: the clients in equal parts of each kind."""
        share, rest = divmod(self.clients, len(self.kinds))
        kinds = {kind: share + (index < rest) for index, kind in enumerate(self.kinds)}
        plain = Load(
            kinds=kinds,
            rate=self.rate,
            channels=self.channels,
            prefixes=self.prefixes,
            filling=self.filling,
            publishers=self.publishers,
            processes=self.processes,
            seed=self.seed,
        )
        return replace(plain, **changes)

    def rng(self) -> Random:
        """Chance, as the seed has it."""
        return Random(self.seed)


@dataclass(slots=True)
class Outcome:
    """The result of a run: the report, the faults, further measurements, and the claims."""

    scenario: str
    size: Size
    report: Report
    faults: list[tuple[float, str]]
    measured: dict[str, float] = field(default_factory=dict)
    may_announce: tuple[str, ...] = ("plain",)
    """The groups (by the end of their name) that may have announced losses."""
    claims: list[Claim] = field(default_factory=list)
    paces: list[Claim] = field(default_factory=list)
    """Claims about times and rates, which hold on a machine without other work."""

    def wrongs(self) -> list[str]:
        """Problems that a busy machine does not excuse; empty if all is well."""
        return self.report.faults(self.may_announce) + [each.sentence() for each in self.claims if not each.held]

    def against(self) -> list[str]:
        """All problems of the servers, times and rates included."""
        return self.wrongs() + [each.sentence() for each in self.paces if not each.held]

    @property
    def back_s(self) -> list[float]:
        """The durations of lost subscriptions, of all kinds of clients, sorted."""
        return sorted(time_s for verdict in self.report.verdicts.values() for time_s in verdict.sums.back_s)

    def claim_back(self, p50_s: float, p99_s: float) -> None:
        """Claim that all came back soon, and without losses in channels with history."""
        back = self.back_s or [float("inf")]
        kept = [verdict for group, verdict in self.report.verdicts.items() if group.endswith("room")]
        self.claims.append(
            Claim("came back without recovery", sum(verdict.sums.unrecovered for verdict in kept), at_most=0)
        )
        self.paces += [
            Claim("back p50 s", percentile(back, 0.5), at_most=p50_s),
            Claim("back p99 s", percentile(back, 0.99), at_most=p99_s),
        ]

    def claim_unnoticed(self, *kinds: str, silence_s: float) -> None:
        """Claim that the applications of these kinds of clients noticed nothing; other clients recover from history."""
        self.may_announce = ("sdk plain",)
        if set(self.size.publishers) <= set(FOLLOWING):
            unknown = self.report.status["published"]["unknown"]
            self.claims.append(Claim("publications whose publisher was not answered", unknown, at_most=0))
        for kind in kinds:
            verdicts = [verdict for group, verdict in self.report.verdicts.items() if group.startswith(kind)]
            ordered = sorted(silence for verdict in verdicts for silence in verdict.silences_s)
            if ordered:
                closes = sum(sum(verdict.closes.values()) for verdict in verdicts)
                silence = percentile(ordered, 0.99)
                self.claims.append(Claim(f"{kind}: closes seen", closes, at_most=0))
                self.paces.append(Claim(f"{kind}: longest silence p99 s", silence, at_most=silence_s))

    def as_json(self) -> dict[str, Any]:
        """The whole result, as plain values."""
        return {
            "scenario": self.scenario,
            "seed": self.size.seed,
            "size": asdict(self.size),
            **self.report.as_json(),
            "faults": self.faults,
            "measured": self.measured,
            "claims": [asdict(claim) | {"held": claim.held} for claim in (*self.claims, *self.paces)],
            "wrongs": self.wrongs(),
            "against": self.against(),
        }


@dataclass(slots=True)
class Stage:
    """A system under load, with its injector of faults."""

    system: System
    load: Workload
    faults: Faults

    def outcome(self, scenario: str, size: Size, **measured: float) -> Outcome:
        """Heal, drain and judge."""
        report = self.load.finish()
        return Outcome(scenario, size, report, self.faults.log, measured)


@contextmanager
def own_system(size: Size, host: str = "127.0.0.1") -> Iterator[System]:
    """Start a system as `size` has it; the servers of its engine, if the size names them, listen at `host`."""
    environ = HISTORY | PATIENT | size.environ
    engine = running_fleet(size.engine, host) if size.engine else nullcontext()
    with engine as fleet, running_system(nodes=size.nodes, environ=environ, fleet=fleet) as system:
        yield system


@contextmanager
def stage(size: Size, system: System | None, load: Load | None = None, *gateways: str) -> Iterator[Stage]:
    """Put the load on `system`, or on a new system with the nodes and settings of the size."""
    own = own_system(size) if system is None else nullcontext(system)
    with own as running, running_load(load or size.load(), [running.gateway_url, *gateways]) as workload:
        yield Stage(running, workload, Faults(running, size.rng()))


def names() -> list[str]:
    """All scenarios."""
    return [module.name for module in pkgutil.iter_modules(scenarios.__path__)]


def load_scenario(name: str) -> ModuleType:
    """The scenario called `name`."""
    return importlib.import_module(f"chaos.scenarios.{name}")
