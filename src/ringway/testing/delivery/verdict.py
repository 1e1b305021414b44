"""The verdict over a whole run: sums, wronged clients with examples, and durations; as JSON with the settings."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ringway.testing.delivery.judge import Finding, judge
from ringway.testing.delivery.order import Order
from ringway.testing.delivery.published import Outcome, Published
from ringway.testing.delivery.seen import Witness

VICTIMS_MAX = 20


@dataclass(slots=True)
class Verdict:
    """The results of all clients, or of those of one process. Times are in seconds, one for each client or loss."""

    clients: int = 0
    sums: Finding = field(default_factory=Finding)
    closes: Counter[int] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    """Closes by code and first word of the reason."""
    closed_clients: int = 0
    losers: int = 0
    """Clients that lost a publication, announced or not."""
    silences_s: list[float] = field(default_factory=list)
    published: dict[str, int] = field(default_factory=dict)
    divergent: int = 0
    victims: dict[str, list[str]] = field(default_factory=dict)
    """Clients with faults that no setting allows: up to a few, with examples."""

    def merge(self, other: "Verdict") -> None:
        """Add the verdict of a different process over the same publications."""
        self.clients += other.clients
        self.sums.add(other.sums)
        self.closes += other.closes
        self.reasons += other.reasons
        self.closed_clients += other.closed_clients
        self.losers += other.losers
        self.silences_s += other.silences_s
        self.victims |= dict(list(other.victims.items())[: VICTIMS_MAX - len(self.victims)])

    def faults(self, *, may_announce: bool = False) -> list[str]:
        """Return the faults of the servers, a line each. With `may_announce`, announced losses are no faults."""
        sums = self.sums
        counts = {
            "lost silently": sums.silent,
            "lost": 0 if may_announce else sums.lost,
            "doubled": sums.doubled,
            "reordered": sums.reordered,
            "unexpected": sums.unexpected,
            "positions with two publications": self.divergent,
            "clients that did not come back": sums.away,
        }
        found = [f"{what}: {count}" for what, count in counts.items() if count]
        if not sums.delivered:
            found.append("nothing was delivered: this proves nothing")
        return found

    def as_json(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return the verdict as plain values; `settings` says how it was made, including the seed."""
        sums = asdict(self.sums)
        back, _, _ = sums.pop("back_s"), sums.pop("silence_s"), sums.pop("examples")
        return {
            "settings": dict(settings),
            "published": self.published,
            "clients": self.clients,
            "lost": self.sums.lost,
            **sums,
            "divergent": self.divergent,
            "closes": {str(code): count for code, count in sorted(self.closes.items())},
            "reasons": dict(sorted(self.reasons.items())),
            "closed_clients": self.closed_clients,
            "losers": self.losers,
            "silence_ms": _spread_ms(self.silences_s),
            "back_ms": _spread_ms(back),
            "victims": self.victims,
        }


def _spread_ms(times_s: Sequence[float]) -> dict[str, float]:
    """Return percentiles in milliseconds; empty for no times."""
    ordered = sorted(times_s)
    if not ordered:
        return {}

    def at(share: float) -> float:
        return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)

    return {"count": len(ordered), "p50": at(0.5), "p99": at(0.99), "max": at(1.0)}


def give_verdict(
    witnesses: Iterable[Witness], published: Published, order: Order | None = None, *, since: float = 0.0
) -> Verdict:
    """Judge all `witnesses` against `published`; unknown outcomes must be proven by `order` (`Order.prove`) before.

    `order` is the order of all processes of the run; without it, it is learned from these witnesses. Silences count
    from the time `since` on.
    """
    witnesses = list(witnesses)
    if order is None:
        order = Order()
        for witness in witnesses:
            for seen in witness.seen:
                order.learn(seen)
        order.prove(published)
    verdict = Verdict(divergent=order.divergent)
    verdict.published = {outcome.name.lower(): published.count(outcome) for outcome in Outcome}
    if order.examples:
        verdict.victims["positions"] = order.examples
    for witness in witnesses:
        own = Finding()
        for seen in witness.seen:
            finding = judge(seen, published, order, since)
            own.add(finding)
            own.examples += finding.examples
        verdict.clients += 1
        verdict.closed_clients += bool(witness.closes)
        verdict.losers += bool(own.lost)
        verdict.closes.update(code for _, code, _ in witness.closes)
        verdict.reasons.update(f"{code} {reason.partition(' ')[0]}".strip() for _, code, reason in witness.closes)
        verdict.silences_s.append(own.silence_s)
        if own.is_bad and len(verdict.victims) < VICTIMS_MAX:
            verdict.victims[witness.name] = own.examples
        verdict.sums.add(own)
    return verdict
