"""Engines side by side: the cost of a publication from node to node, and the highest rate.

Measured is the engine's port (`broker.publish`, with history `history.append`), not the node: one process publishes
128 B to 100 channels, a second process subscribes to them all. The table shows

- the delay from publish to deliver, and the publisher's wait for the engine, at 1,000 publications a second;
- the highest rate, within 10 %, at which 99 of 100 arrive within 20 ms, none is lost, and the load keeps its pace;
- CPU for each publication, of the publisher, the subscriber and the engine's server, at 1,000/s and (½) at half of that
  highest rate. Members of the memory engine share one process, so the publisher's CPU there is the CPU of both.

All engines take turns, in an order that rotates, so that a disturbance hits all; the figures are medians of the
rounds. Beside them, in the same run: a bare TCP echo, which is two hops and nothing else.

    scripts/bench engines [--seconds 5] [--engines memory,nats,redis]
"""

import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import uvloop
from rich.progress import Progress

from engines_contender import ACHIEVED_MIN, ENGINES, P99_MS_MAX, Contender, Trial, contenders
from engines_member import CHANNELS, PAYLOAD_BYTES, RETENTION
from rate_search import RateSearch
from report import Result, parser, percentile, publish
from tcp_echo import echo

RATE = 1000.0
SEARCH_FROM = 4000.0
COLUMNS = (
    "engine", "history", "p50 ms", "p99 ms", "await p50", "await p99", "highest /s",
    "pub. µs", "sub. µs", "server µs", "½ pub. µs", "½ sub. µs", "½ server µs",
)  # fmt: skip

Turn = TypeVar("Turn")


def rotated(order: Sequence[Turn], turn: int) -> list[Turn]:
    """Return `order`, rotated by the number of the turn."""
    first = turn % len(order)
    return [*order[first:], *order[:first]]


def whole(contender: Contender, rate: float, seconds: float) -> Trial:
    """Make a trial at a rate that every engine should sustain; raise `RuntimeError` if a publication is lost."""
    trial = contender.trial(rate, seconds)
    if trial.lost:
        what = f"{contender.engine}, history {contender.history}, at {rate:,.0f}/s"
        raise RuntimeError(f"{what}: {trial.lost} of {rate * seconds:,.0f} publications were lost")
    return trial


class Run:
    """All measurements of one run."""

    def __init__(self, made: list[Contender], rounds: int, seconds: float, trial_s: float) -> None:
        self.made = made
        self.rounds, self.seconds, self.trial_s = rounds, seconds, trial_s
        self.searches = {contender: RateSearch(SEARCH_FROM) for contender in made}
        self.slow: dict[Contender, list[Trial]] = {contender: [] for contender in made}
        self.half: dict[Contender, list[Trial]] = {contender: [] for contender in made}
        self.echoes: list[list[float]] = []

    def measure(self, progress: Progress) -> None:
        """Make all measurements; the first trial of each contender warms it up."""
        for contender in self.made:
            contender.trial(RATE, 1.0)
        bar = progress.add_task(f"at {RATE:,.0f}/s", total=self.rounds * len(self.made))
        for turn in range(self.rounds):
            self.echoes.append(uvloop.run(echo(round(200 * self.seconds))))
            for contender in rotated(self.made, turn):
                self.slow[contender].append(whole(contender, RATE, self.seconds))
                progress.advance(bar)
                progress.refresh()
        self._search(progress)
        bar = progress.add_task("at half the highest rate", total=self.rounds * len(self.made))
        for turn in range(self.rounds):
            for contender in rotated(self.made, turn):
                if highest := self.searches[contender].highest:
                    self.half[contender].append(whole(contender, highest / 2, self.trial_s))
                progress.advance(bar)
                progress.refresh()

    def _search(self, progress: Progress) -> None:
        bar = progress.add_task("searching the highest rate", total=None)
        turn = 0
        while going := [contender for contender in self.made if self.searches[contender].next_rate is not None]:
            for contender in rotated(going, turn):
                search = self.searches[contender]
                assert search.next_rate is not None
                search.record(contender.trial(search.next_rate, self.trial_s).passed)
                progress.update(bar, description=f"highest rate: {contender.engine} {search.highest:,.0f}/s")
                progress.refresh()
            turn += 1

    def rows(self) -> list[Sequence[Any]]:
        """Return the rows of the table, the reference first."""
        ways = [[percentile(values, share) for values in self.echoes] for share in (0.5, 0.99)]
        echo_ms = [statistics.median(way) for way in ways]
        rows: list[Sequence[Any]] = [["bare TCP echo", "", *echo_ms, *[""] * 9]]
        for contender in self.made:
            slow, half = self.slow[contender], self.half[contender]
            waits = medians([(*trial.delay_ms, *trial.await_ms) for trial in slow])
            costs = medians([trial.cpu_us for trial in slow]) + (medians([trial.cpu_us for trial in half]) or [0.0] * 3)
            highest = round(self.searches[contender].highest)
            rows.append([contender.engine, contender.history, *waits, highest, *(cost or "" for cost in costs)])
        return rows


def medians(rounds: Sequence[Sequence[float]]) -> list[float]:
    """Return the median of each column over the rounds."""
    return [statistics.median(column) for column in zip(*rounds, strict=True)]


def main() -> None:
    """Run the benchmark."""
    flags = parser("What a publication costs by each engine, and how many a second there can be.")
    flags.add_argument("--seconds", type=float, default=5, help="how long a round at 1,000/s takes")
    flags.add_argument("--rounds", type=int, default=3, help="rounds of each engine, beside the search")
    flags.add_argument("--engines", default=",".join(ENGINES), help="which ones, with commas between them")
    arguments = flags.parse_args()
    engines = arguments.engines.split(",")
    if unknown := set(engines) - set(ENGINES):
        flags.error(f"there is no engine {', '.join(sorted(unknown))}; there are: {', '.join(ENGINES)}")
    rounds, seconds, trial_s = (1, 1.0, 0.5) if arguments.quick else (arguments.rounds, arguments.seconds, 2.0)
    result = Result(f"engines: {PAYLOAD_BYTES} B from one process to another", COLUMNS)
    with tempfile.TemporaryDirectory(prefix="ringway-") as directory, contenders(engines, Path(directory)) as made:
        run = Run(made, rounds, seconds, trial_s)
        with Progress(transient=True, auto_refresh=False) as progress:
            run.measure(progress)
        result.rows = run.rows()
    result.settings = {
        "payload_bytes": PAYLOAD_BYTES,
        "channels": len(CHANNELS),
        "history_size": RETENTION.size,
        "rate": RATE,
        "rounds": rounds,
        "seconds": seconds,
        "trial_s": trial_s,
        "p99_ms_max": P99_MS_MAX,
        "achieved_min": ACHIEVED_MIN,
    }
    publish(result, arguments.json)


if __name__ == "__main__":
    main()
