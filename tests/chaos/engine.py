"""Shared parts of scenarios about the engine's servers: the wait for calm, and the cost of a fault."""

import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from chaos.scenario import Outcome, Size, Stage
from report import Claim
from ringway.core.balance.config import BalanceConfig
from support.fleet import Fleet
from support.system import System, wait_for

MEMBERSHIP_S = 5.0
"""The deadline after a fault by which every member must have been heard again."""

CALM_S = 2.0
"""Added to the balancer's pause after a change: it checks once a second."""

CALM_WITHIN_S = 120.0
LOOK_S = 0.1
BACK_S = 60.0


@dataclass(slots=True)
class Aftermath:
    """Watches the members during faults of the engine. Begin it when all is calm, and call `over` after each fault."""

    on: Stage
    calm_s: float
    membership_s: list[float] = field(default_factory=list)
    _moves: int = 0
    _lives: dict[str, str] = field(default_factory=dict)

    @classmethod
    def begin(cls, on: Stage, size: Size) -> "Aftermath":
        """Wait until the balancer rests, and record the state of the system."""
        calm_s = float(size.environ.get("RINGWAY_BALANCE_SETTLE_S", BalanceConfig().settle_s)) + CALM_S
        await_calm(on.system, calm_s)
        return cls(on, calm_s, _moves=moves_ordered(on.system), _lives=_lives(on.system))

    def over(self) -> None:
        """Wait, after the end of a fault, until every node is heard anew, and all clients are connected."""
        began = time.monotonic()
        stale = self.on.faults.nodes()
        self.on.faults.note("the fault is over")

        def heard() -> bool:
            nodes = self.on.faults.nodes()
            return nodes.keys() >= self._lives.keys() and all(
                node["engine_up"] and node != stale.get(name) for name, node in nodes.items()
            )

        while not heard():
            if time.monotonic() - began > BACK_S:
                raise TimeoutError(f"after {BACK_S:g} s not all nodes are heard again: {self.on.faults.nodes()}")
            time.sleep(LOOK_S)
        self.membership_s.append(round(time.monotonic() - began, 2))
        self.on.load.wait(self.on.system.is_ready, "the gateway to have the engine again")
        self.on.load.wait(self.on.load.all_subscribed, "everybody to be there")

    def outcome(self, name: str, size: Size, *, kept: bool, closed: tuple[str, ...] = ()) -> Outcome:
        """Judge: with `kept` nothing may be lost, and only clients of the kinds `closed` may lose their connection.

        Otherwise losses must be announced to the clients.
        """
        time.sleep(self.calm_s)  # moves by the balancer begin soon
        moves = moves_ordered(self.on.system) - self._moves
        changed = sum(_lives(self.on.system).get(node) != life for node, life in self._lives.items())
        outcome = self.on.outcome(name, size, moves=moves, membership_s=max(self.membership_s))
        outcome.may_announce = () if kept else ("",)
        verdicts = outcome.report.verdicts
        closes = sum(sum(verdict.closes.values()) for verdict in verdicts.values())
        outcome.claims += [
            Claim("nodes that others took for new ones", changed, at_most=0),
            Claim(f"moves ordered, where {closes} connections were closed", moves, at_most=closes),
        ]
        if kept:
            wrong = sum(sum(each.closes.values()) for kind, each in verdicts.items() if not kind.startswith(closed))
            # Clients that were moved before it was calm may have noticed.
            outcome.claims.append(Claim("connections closed that need not be", wrong, at_most=self._moves))
        outcome.paces.append(Claim("all nodes heard again after s", max(self.membership_s), at_most=MEMBERSHIP_S))
        return outcome


def fleet_of(on: Stage) -> Fleet:
    """The engine's servers."""
    if on.system.fleet is None:
        raise LookupError("this scenario needs an engine of servers that it can do things to: --engine nats3")
    return on.system.fleet


def moves_ordered(system: System) -> int:
    """The number of moves that the balancer has ordered since the gateway began."""
    return sum(decision["ordered"] for decision in _decisions(system))


def await_calm(system: System, calm_s: float) -> None:
    """Return when the balancer has ordered no moves for a while, and none are under way."""
    seen, since = -1, time.monotonic()

    def calm() -> bool:
        nonlocal seen, since
        ordered = moves_ordered(system)
        if ordered != seen or any(each["outcome"] == "under way" for each in _decisions(system)):
            seen, since = ordered, time.monotonic()
        return time.monotonic() - since > calm_s

    wait_for(calm, "the balancer to rest", CALM_WITHIN_S)


def _decisions(system: System) -> list[dict[str, Any]]:
    with suppress(OSError):
        return list(system.ask("moves?count=1000"))
    return []


def _lives(system: System) -> dict[str, str]:
    return {name: node["incarnation"] for name, node in system.nodes().items()}
