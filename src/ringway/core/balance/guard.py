"""Guard of the balancer: signs that moves would do harm now, or that the view of the cluster is wrong.

A balancer can do more damage than any failure that it repairs. So it makes moves only while all conditions below are
met. Otherwise it moves no client ("fail static"), and gives the reason in a sentence:

- no operator has frozen moves;
- few nodes are suspect: the load of a suspect node is unknown, and if many are suspect, this gateway may be cut off;
- few nodes went away together: again this gateway may be cut off;
- the engine is quick: late orders would be carried out for a cluster that has changed meanwhile;
- moved clients come back: if places stay empty and connections become fewer, moves lose clients. Empty places alone
  mean nothing: a plain client may have been given a different place;
- targets answer handshakes as quickly as in calm times: if they are slower, they get too many moves.

Theory: a cause is over when it was not seen for `THAW_S` (hysteresis: at the edge of a bound, moves would otherwise
begin and stop each second). A noisy cause must be seen `LOOKS` times in a row. An operator's command counts at once.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ringway.core.balance.config import BalanceConfig
from ringway.core.load import LoadView, NodeLoad
from ringway.protocol.directive import BY_OPERATOR, Directive
from ringway.types import Incarnation, NodeName, NodeState

THAW_S = 5.0
LOOKS = 3

ENGINE_LAG_S = 0.5
"""The longest renewal of a lease; it usually takes milliseconds. Reports that are later than this mislead a plan."""

WINDOW_S = 60.0
MOVED_MIN = 50
"""The fewest moves within the window for which the failed part is significant."""

HANDSHAKE_MIN_S = 0.1
"""Handshakes below this are fast, even if they take twice their usual time: no client notices."""

LEARN = 0.1
"""The weight of a report in the calm time of a node's handshakes, while the node gets no moves."""

LEARN_SLOWLY = 0.01
"""The same weight while handshakes are slow: a time that lasts for minutes becomes the calm time."""

GONE_WITHIN_S = 10.0
GONE_SHARE = 0.2
GONE_MIN = 2
GONE_WAIT_S = 30.0
"""The pause after many nodes went away together: as long as a restart takes."""


TimeOf = Callable[[float], str]
"""Returns the time of day of a monotonic time, for operators."""


def say_no_time(at: float) -> str:
    """Return nothing: where no operator reads, as in the simulator (`TimeOf`)."""
    return ""


class Guard:
    """The guard of one leader. Call `check` once a round. Without `time_of` it says no times of day."""

    def __init__(self, config: BalanceConfig, time_of: TimeOf = say_no_time) -> None:
        self._config = config
        self._returns = _Returns(config.freeze_success_below)
        self._handshakes = _Handshakes(config.freeze_handshake_times)
        self._departures = _Departures(time_of)
        self._lags = 0
        self._causes: dict[str, tuple[str, float]] = {}  # each sign in words, and until when it counts

    def check(
        self,
        view: LoadView,
        now: float,
        *,
        directive: Directive,
        engine_lag_s: float = 0.0,
        targets: Collection[NodeName] = (),
    ) -> str:
        """Return the reason why moves are forbidden now; empty if they are allowed.

        `targets` are the nodes to which moves were ordered lately, `engine_lag_s` the time of the last renewal.
        """
        for cause, why in self._seen(view, now, engine_lag_s, targets):
            self._causes[cause] = (why, now + THAW_S)
        self._causes = {cause: (why, until) for cause, (why, until) in self._causes.items() if until > now}
        return self.why(directive)

    def why(self, directive: Directive) -> str:
        """Return the reason why moves are forbidden, by the last check and `directive`; empty if they are allowed."""
        if directive.frozen:
            return BY_OPERATOR + directive.frozen
        return next((why for why, _ in self._causes.values()), "")

    def _seen(
        self, view: LoadView, now: float, engine_lag_s: float, targets: Collection[NodeName]
    ) -> Iterator[tuple[str, str]]:
        nodes = list(view.nodes.values())
        suspects = view.suspects(now)
        if suspects and len(suspects) >= self._config.freeze_suspects * len(nodes):
            yield "suspects", f"{len(suspects)} of {len(nodes)} nodes were not heard for 3 s: {_names(suspects)}"
        gone = self._departures.observe(nodes, view.members_version, now)
        if gone:
            yield "departures", gone
        self._lags = self._lags + 1 if engine_lag_s > ENGINE_LAG_S else 0
        if self._lags >= LOOKS:
            yield "engine", f"the engine is slow: it took {engine_lag_s:.1f} s to renew the lease"
        lost = self._returns.observe(nodes, now)
        if lost:
            yield "returns", lost
        slow = self._handshakes.observe(nodes, targets)
        if slow:
            yield "handshakes", slow


class _Departures:
    """Nodes that accepted connections, and have left the view."""

    def __init__(self, time_of: TimeOf) -> None:
        self._time_of = time_of
        self._version = -1
        self._before: dict[NodeName, bool] = {}  # true if it was active
        self._gone: deque[tuple[float, int, int]] = deque()  # when, how many, of how many
        self._why = ""
        self._until = 0.0

    def observe(self, nodes: Iterable[NodeLoad], version: int, now: float) -> str:
        """Return why moves would do harm; `version` is that of the members (`LoadView.members_version`)."""
        if version != self._version:
            self._version = version
            self._compare(nodes, now)
        return self._why if now < self._until else ""

    def _compare(self, nodes: Iterable[NodeLoad], now: float) -> None:
        present = {node.name: node.state is NodeState.ACTIVE for node in nodes}
        gone = sum(active and name not in present for name, active in self._before.items())
        if gone:
            self._gone.append((now, gone, len(self._before)))
        self._before = present
        while self._gone and self._gone[0][0] <= now - GONE_WITHIN_S:
            self._gone.popleft()
        count = sum(gone for _, gone, _ in self._gone)
        of = max((size for _, _, size in self._gone), default=0)
        if gone and count >= max(GONE_MIN, GONE_SHARE * of):
            self._until = now + GONE_WAIT_S
            until = self._time_of(self._until)
            self._why = (
                f"{count} of {of} nodes went away within {GONE_WITHIN_S:.0f} s; they may come back, so moves wait for "
                f"{GONE_WAIT_S:.0f} s" + (f", until {until}" if until else "")
            )


class _Sent(NamedTuple):
    """The counters of one donor: `moved` is the sum of `moves`."""

    incarnation: Incarnation
    moves: Mapping[NodeName, int]
    moved: int
    missed: int


class _Returns:
    """Counts moved clients that did not come back, by the donors' counters over the last minute.

    A client is lost if it did not come to its place; but the lost clients are at most the connections by which the
    cluster has become smaller since the last time without held places. A held place counts as a connected client,
    though some clients may be back already.
    """

    def __init__(self, success_min: float) -> None:
        self._success_min = success_min
        self._seen: dict[NodeName, _Sent] = {}
        self._window: deque[tuple[float, int, int]] = deque()  # when, moved, missed
        self._calm: deque[tuple[float, int]] = deque()  # when, and how many were connected while no places were held

    def observe(self, nodes: Sequence[NodeLoad], now: float) -> str:
        moved = missed = connected = held = reporting = 0
        seen = self._seen
        for node in nodes:
            report = node.report
            if report is None:
                continue
            reporting += 1
            connected += node.connections
            if report.reserved:
                held += sum(report.reserved.values())
            before = seen.get(node.name)
            is_known = before is not None and before.incarnation == node.incarnation
            if before is not None and is_known and before.moves is report.moved and before.missed == report.missed:
                continue  # a beat that says nothing of moves
            now_sent = _Sent(node.incarnation, report.moved, sum(report.moved.values()), report.missed)
            if before is not None and is_known:
                moved += max(0, now_sent.moved - before.moved)
                missed += max(0, now_sent.missed - before.missed)
            seen[node.name] = now_sent
        if len(seen) > reporting:
            self._seen = {node.name: seen[node.name] for node in nodes if node.report is not None}
        self._window.append((now, moved, missed))
        while self._window[0][0] <= now - WINDOW_S:
            self._window.popleft()
        if not held:
            self._calm.append((now, connected))
        while len(self._calm) > 1 and self._calm[1][0] <= now - WINDOW_S:
            self._calm.popleft()
        less = self._calm[0][1] - connected - held if self._calm else 0
        gone = min(less, sum(entry[2] for entry in self._window))
        moved = max(gone, sum(entry[1] for entry in self._window))
        if moved < MOVED_MIN or gone <= (1 - self._success_min) * moved:
            return ""
        return f"{gone} of {moved} clients moved within the last minute did not come back"


class _Handshakes:
    """Finds targets of moves whose handshakes are slower than in calm times."""

    def __init__(self, times: float) -> None:
        self._times = times
        self._calm: dict[NodeName, float] = {}
        self._slow: dict[NodeName, int] = {}  # the number of times in a row that each node was slow

    def observe(self, nodes: Iterable[NodeLoad], targets: Collection[NodeName]) -> str:
        slow: dict[NodeName, int] = {}
        whys = []
        for node in nodes:
            p99 = node.report.handshake_p99_s if node.report is not None else 0.0
            if p99 <= 0:
                continue
            is_target = node.name in targets
            calm = self._calm_s(node.name) if is_target or node.name in self._slow else 0.0
            if calm > 0 and p99 > max(self._times * calm, HANDSHAKE_MIN_S):
                slow[node.name] = self._slow.get(node.name, 0) + 1
                self._calm[node.name] = calm + LEARN_SLOWLY * (p99 - calm)
                if slow[node.name] >= LOOKS:
                    whys.append(
                        f"handshakes of {node.name} take {p99 * 1000:.0f} ms, in calm times {calm * 1000:.0f} ms"
                    )
            elif not is_target:
                known_calm = self._calm.get(node.name, p99)
                self._calm[node.name] = known_calm + LEARN * (p99 - known_calm)
        self._slow = slow
        return whys[0] if whys else ""

    def _calm_s(self, node: NodeName) -> float:
        """The time of the handshakes of `node` in calm times; if it was never calm, the time of a usual node, else
        0."""
        if node not in self._calm and self._calm:
            return sorted(self._calm.values())[len(self._calm) // 2]
        return self._calm.get(node, 0.0)


def _names(nodes: list[NodeName]) -> str:
    shown = ", ".join(nodes[:3])
    return f"{shown} and {len(nodes) - 3} more" if len(nodes) > 3 else shown
