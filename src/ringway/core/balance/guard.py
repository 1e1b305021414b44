"""Guard of the balancer: signs that moving clients now does harm, or that the view of the cluster is wrong.

A balancer can do more damage than any failure that it repairs. So it makes moves only while all of these hold.
Otherwise it leaves everything as it is ("fail static"), with a sentence that says why:

- no operator has frozen moves;
- few nodes are suspect: the load of a suspect node is unknown, and if many are suspect, this gateway may be cut off;
- not many nodes went away together: the same, a moment later;
- the engine is quick: orders that arrive late would be carried out for a cluster of long ago;
- moved clients come back: if places stay empty and connections become fewer, moving loses clients. Empty places alone
  mean nothing: a plain client may have been given another place;
- targets take handshakes as quickly as in calm times: if not, they get too many moves, whatever they report.

Theory: a cause is over when it was not seen for `THAW_S` (hysteresis: at the edge of a bound, moves would begin and
stop each second). A cause that is noisy by nature must be seen `LOOKS` times in a row. An operator's word counts at
once.
"""

from collections import deque
from collections.abc import Collection, Iterable, Iterator

from ringway.core.balance.config import BalanceConfig
from ringway.core.load import LoadView, NodeLoad
from ringway.protocol.directive import Directive
from ringway.types import Incarnation, NodeName, NodeState

THAW_S = 5.0
LOOKS = 3

ENGINE_LAG_S = 0.5
"""A lease is renewed in milliseconds. Reports that are as late as this are good for a plan; later ones are not."""

WINDOW_S = 60.0
MOVED_MIN = 50
"""Of fewer moves within the window, the part that failed says nothing."""

HANDSHAKE_MIN_S = 0.1
"""Handshakes below this are fast, even if they take twice their usual time: no client notices."""

LEARN = 0.1
"""How fast the calm time of a node's handshakes follows its reports while it gets no moves."""

LEARN_SLOWLY = 0.01
"""The same while they are slow: what lasts for minutes is how the node is now."""

GONE_WITHIN_S = 10.0
GONE_SHARE = 0.2
GONE_MIN = 2
GONE_WAIT_S = 30.0
"""After many went together, for as long as a restart takes."""


class Guard:
    """The guard of one leader: show it the view once a round."""

    def __init__(self, config: BalanceConfig) -> None:
        self._config = config
        self._returns = _Returns(config.freeze_success_below)
        self._handshakes = _Handshakes(config.freeze_handshake_times)
        self._departures = _Departures()
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
        """Return why nobody is to be moved now; empty if nothing speaks against it.

        `targets` are the nodes to which moves were ordered lately, `engine_lag_s` the time of the last renewal.
        """
        for cause, why in self._seen(view, now, engine_lag_s, targets):
            self._causes[cause] = (why, now + THAW_S)
        self._causes = {cause: (why, until) for cause, (why, until) in self._causes.items() if until > now}
        if directive.frozen:
            return f"an operator has frozen it: {directive.frozen}"
        return next((why for why, _ in self._causes.values()), "")

    def _seen(
        self, view: LoadView, now: float, engine_lag_s: float, targets: Collection[NodeName]
    ) -> Iterator[tuple[str, str]]:
        nodes = list(view.nodes.values())
        suspects = view.suspects(now)
        if suspects and len(suspects) >= self._config.freeze_suspects * len(nodes):
            yield "suspects", f"{len(suspects)} of {len(nodes)} nodes were not heard for 3 s: {_names(suspects)}"
        gone = self._departures.observe(nodes, now)
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
    """Nodes that were there, took connections, and are not there any more."""

    def __init__(self) -> None:
        self._before: dict[NodeName, bool] = {}  # whether it was active
        self._gone: deque[tuple[float, int, int]] = deque()  # when, how many, of how many
        self._why = ""
        self._until = 0.0

    def observe(self, nodes: Iterable[NodeLoad], now: float) -> str:
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
            self._why = f"{count} of {of} nodes went away within {GONE_WITHIN_S:.0f} s; they may come back"
            self._until = now + GONE_WAIT_S
        return self._why if now < self._until else ""


class _Returns:
    """Counts moved clients that do not come back, by the donors' counters over the last minute.

    The lost clients are those that did not come to their places, at most as many as there are fewer connections than
    before, when no node held places. A held place counts as a connected client, though some clients may be back.
    """

    def __init__(self, success_min: float) -> None:
        self._success_min = success_min
        self._seen: dict[NodeName, tuple[Incarnation, int, int]] = {}
        self._window: deque[tuple[float, int, int]] = deque()  # when, moved, missed
        self._calm: deque[tuple[float, int]] = deque()  # when, and how many were connected while no places were held

    def observe(self, nodes: Iterable[NodeLoad], now: float) -> str:
        moved = missed = connected = held = 0
        seen: dict[NodeName, tuple[Incarnation, int, int]] = {}
        for node in nodes:
            if node.report is None:
                continue
            incarnation, sent, lost = node.incarnation, sum(node.report.moved.values()), node.report.missed
            before = self._seen.get(node.name)
            if before is not None and before[0] == incarnation:
                moved += max(0, sent - before[1])
                missed += max(0, lost - before[2])
            seen[node.name] = (incarnation, sent, lost)
            connected += node.connections
            held += sum(node.report.reserved.values())
        self._seen = seen
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
    """True if those that get moves are slower than they are in calm times."""

    def __init__(self, times: float) -> None:
        self._times = times
        self._calm: dict[NodeName, float] = {}
        self._slow: dict[NodeName, int] = {}  # seen so many times in a row

    def observe(self, nodes: Iterable[NodeLoad], targets: Collection[NodeName]) -> str:
        known = sorted(self._calm.values())
        usual = known[len(known) // 2] if known else 0.0  # for a node that has joined and was never calm
        slow: dict[NodeName, int] = {}
        whys = []
        for node in nodes:
            p99 = node.report.handshake_p99_s if node.report is not None else 0.0
            if p99 <= 0:
                continue
            calm = self._calm.get(node.name, usual)
            judged = calm > 0 and (node.name in targets or node.name in self._slow)
            if judged and p99 > max(self._times * calm, HANDSHAKE_MIN_S):
                slow[node.name] = self._slow.get(node.name, 0) + 1
                self._calm[node.name] = calm + LEARN_SLOWLY * (p99 - calm)
                if slow[node.name] >= LOOKS:
                    whys.append(
                        f"handshakes of {node.name} take {p99 * 1000:.0f} ms, in calm times {calm * 1000:.0f} ms"
                    )
            elif node.name not in targets:
                known_calm = self._calm.get(node.name, p99)
                self._calm[node.name] = known_calm + LEARN * (p99 - known_calm)
        self._slow = slow
        return whys[0] if whys else ""


def _names(nodes: list[NodeName]) -> str:
    shown = ", ".join(nodes[:3])
    return f"{shown} and {len(nodes) - 3} more" if len(nodes) > 3 else shown
