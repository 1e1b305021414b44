"""Cost of one publication to 1,000 subscribers, beside a bare loop of send(2) over the same sockets.

Server and subscribers are processes of their own, each on one core. Rounds of all contenders are interleaved, and
medians taken, so that a noisy moment hits all alike. The reference sends the very bytes that the node sends, to the
very sockets that the node has, from a Python loop over bound methods. That everything has arrived is checked in bytes.

    scripts/bench fanout [--subscribers 1000] [--rounds 15]
"""

import json
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

from rich.progress import Progress

from report import Claim, Result, parser, publish

HERE = Path(__file__).parent
PUBLICATIONS = 40  # in one round
TURN = 20


class Contender:
    """A server and its subscribers."""

    def __init__(self, kind: str, subscribers: int) -> None:
        self.kind = kind
        self._subscribers = subscribers
        self._server = _start("fanout_server.py", kind)
        started = json.loads(_line(self._server))
        self._message_bytes = started["bytes"]
        self._seen = 0
        prefix = "bench" if kind == "node" else "-"
        self._client = _start("fanout_client.py", str(started["port"]), str(subscribers), prefix)
        if _line(self._client).strip() != "joined":
            raise RuntimeError(f"the subscribers of {kind} did not join")
        self._ask(do="join", count=subscribers)

    def __enter__(self) -> "Contender":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for process in (self._client, self._server):
            process.kill()
            process.wait()

    def round_us(self, do: str, turn: int) -> float:
        """Run one round; return CPU microseconds per delivery."""
        cpu_s = self._ask(do=do, publications=PUBLICATIONS, turn=turn)["cpu_s"]
        one_frame = self.kind == "node" and do == "round"  # of a turn: one header, and newlines
        per_turn = 4 + turn * self._message_bytes + turn - 1 if one_frame else turn * (4 + self._message_bytes)
        expected = PUBLICATIONS // turn * per_turn * self._subscribers
        deadline = time.monotonic() + 10
        while (read := self._count()) < expected and time.monotonic() < deadline:
            time.sleep(0.02)
        if read != expected:
            raise RuntimeError(f"{self.kind}: {read} bytes arrived, {expected} were expected")
        self._seen += read
        return cpu_s / (PUBLICATIONS * self._subscribers) * 1e6

    def _ask(self, **order: object) -> dict[str, float]:
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps(order) + "\n")
        self._server.stdin.flush()
        answer: dict[str, float] = json.loads(_line(self._server))
        return answer

    def _count(self) -> int:
        """Bytes that the subscribers have read since the last round."""
        assert self._client.stdin is not None
        self._client.stdin.write("\n")
        self._client.stdin.flush()
        return int(_line(self._client)) - self._seen


def _start(script: str, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, str(HERE / script), *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{process.args!r} ended")
    return line


def main() -> None:
    """Run the benchmark."""
    flags = parser("CPU of one delivery, beside a bare loop of send(2).")
    flags.add_argument("--subscribers", type=int, default=1000, help="connections to the server")
    flags.add_argument(
        "--rounds", type=int, default=15, help=f"rounds of {PUBLICATIONS} publications, for each contender"
    )
    arguments = flags.parse_args()
    rounds = 4 if arguments.quick else arguments.rounds
    kinds = ["node", "websockets", "aiohttp"]
    taken: dict[str, list[float]] = {}
    rng = random.Random(1)
    with Progress(transient=True) as progress:
        bar = progress.add_task("joining", total=len(kinds) + rounds)
        contenders = []
        try:
            for kind in kinds:
                contenders.append(Contender(kind, arguments.subscribers))
                progress.advance(bar)
            runs = [
                ("bare send(2) loop", contenders[0], "bare", 1),
                ("ringway node", contenders[0], "round", 1),
                (f"ringway node, {TURN} a turn", contenders[0], "round", TURN),
                ("websockets.broadcast", contenders[1], "round", 1),
                ("aiohttp send_str", contenders[2], "round", 1),
            ]
            labels = [label for label, *_ in runs]
            for number in range(rounds + 1):
                progress.update(bar, description=f"round {number}")
                rng.shuffle(runs)  # the order must not matter
                for label, contender, do, turn in runs:
                    cost = contender.round_us(do, turn)
                    if number:  # the first round warms up
                        taken.setdefault(label, []).append(cost)
                progress.advance(bar)
        finally:
            for contender in contenders:
                contender.__exit__(None, None, None)
    result = Result(
        f"fan-out to {arguments.subscribers} subscribers, 128 B of data",
        ["sender", "CPU µs / delivery", "ratio to bare", "lowest", "highest"],
    )
    ratios = {}
    for label in labels:
        costs = taken[label]
        pairs = [cost / bare for cost, bare in zip(costs, taken["bare send(2) loop"], strict=True)]
        ratios[label] = statistics.median(pairs)
        result.rows.append([label, statistics.median(costs), ratios[label], min(pairs), max(pairs)])
    result.claims = [
        Claim("CPU per delivery, ratio to bare send(2)", ratios["ringway node"], at_most=1.4),
        Claim(f"with {TURN} publications a turn, per publication", ratios[f"ringway node, {TURN} a turn"], at_most=0.3),
    ]
    result.settings = {
        "subscribers": arguments.subscribers,
        "rounds": rounds,
        "publications": PUBLICATIONS,
        "turn": TURN,
    }
    publish(result, arguments.json)


if __name__ == "__main__":
    main()
