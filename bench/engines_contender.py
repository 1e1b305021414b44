"""Contender of `engines.py`: an engine in one way of use, with its server, a publisher and a subscriber.

The members are processes of their own (`engines_member.py`); members of the memory engine share a process, as that
engine requires. Contenders of one server use clusters of their own. All run at the same time; a contender without a
trial is idle.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relay_systems import cpu_ns
from ringway.engine.nats.embedded import EmbeddedNats
from ringway.engine.url import mask
from support.redis_server import RedisServer

HERE = Path(__file__).parent
ENGINES = ("memory", "nats", "redis")

P99_MS_MAX = 20.0
ACHIEVED_MIN = 0.98


@dataclass(frozen=True, slots=True)
class Trial:
    """The result of publishing at one rate."""

    wanted_per_s: float
    achieved_per_s: float
    lost: int
    """The number of publications that did not arrive, or were refused; negative if more arrived than were sent."""
    delay_ms: tuple[float, float]
    """From publish to deliver, p50 and p99."""
    await_ms: tuple[float, float]
    """The publisher's wait for the engine, p50 and p99."""
    cpu_us: tuple[float, float, float]
    """For each publication: of the publishing process, the subscribing process, and the server."""

    @property
    def passed(self) -> bool:
        """True if the engine sustains the rate."""
        fast = self.achieved_per_s >= ACHIEVED_MIN * self.wanted_per_s
        return fast and not self.lost and self.delay_ms[1] <= P99_MS_MAX


class Member:
    """A process of `engines_member.py`; its output beside the answers goes to `log`."""

    def __init__(self, role: str, url: str, storage: str, log: Path) -> None:
        self._name = f"the {role} at {mask(url)}, history {storage},"
        self._log = log
        command = [sys.executable, str(HERE / "engines_member.py"), role, url, storage]
        with log.open("w") as said:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True
            )
        try:
            self._answer()
        except RuntimeError:
            self.end()
            raise

    def ask(self, do: str, **order: Any) -> dict[str, Any]:
        """Send an order and return the answer; raise `RuntimeError` with its last output if it has ended."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do} | order) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._name} ended: {self._log.read_text()[-1000:].strip()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


class Contender:
    """One row of the table."""

    def __init__(self, engine: str, history: str, members: Sequence[Member], server_pid: int | None) -> None:
        self.engine = engine
        self.history = history
        self._publisher, self._subscriber = members[0], members[-1]
        self._alone = len(members) == 1
        self._server_pid = server_pid
        self._trials = 0

    def trial(self, rate: float, seconds: float) -> Trial:
        """Publish at `rate` a second for `seconds`."""
        self._trials += 1
        before = self._server_ns()
        self._subscriber.ask("listen", trial=self._trials)
        said = self._publisher.ask("publish", trial=self._trials, rate=rate, seconds=seconds)
        sent = said["sent"]
        heard = self._subscriber.ask("heard", sent=sent)
        server_us = (self._server_ns() - before) / 1e3
        subscriber_us = 0.0 if self._alone else heard["cpu_s"] * 1e6
        return Trial(
            wanted_per_s=rate,
            achieved_per_s=said["per_s"],
            lost=said["refused"] or sent - heard["arrived"],
            delay_ms=tuple(heard["delay_ms"]),
            await_ms=tuple(said["await_ms"]),
            cpu_us=(said["cpu_s"] * 1e6 / sent, subscriber_us / sent, server_us / sent),
        )

    def _server_ns(self) -> int:
        return cpu_ns(self._server_pid) if self._server_pid else 0


@contextmanager
def contenders(engines: Sequence[str], directory: Path) -> Iterator[list[Contender]]:
    """Start the servers of `engines`, and end them with the block; raise `RuntimeError` if one cannot be opened."""
    with ExitStack() as stack:
        made: list[Contender] = []

        def add(engine: str, history: str, roles: Sequence[str], url: str, storage: str, pid: int | None) -> None:
            members = []
            for role in roles:
                members.append(Member(role, url, storage, directory / f"{len(made)}-{role}.log"))
                stack.callback(members[-1].end)
            made.append(Contender(engine, history, members, pid))

        two = ("publisher", "subscriber")
        if "memory" in engines:
            for history in ("off", "on"):
                add("memory, one process", history, ("both",), "memory://", history, None)
        if "nats" in engines:
            nats = EmbeddedNats(directory / "nats")
            asyncio.run(nats.start())
            stack.callback(lambda: asyncio.run(nats.stop()))
            for history, storage in (("off", "off"), ("files", "file"), ("memory", "memory")):
                add("NATS", history, two, nats.url, storage, nats.pid)
        if "redis" in engines:
            for name, settings in (
                ("Redis", ()),
                ("Redis, AOF", ("appendonly yes", "appendfsync everysec")),
            ):
                redis = RedisServer(directory / f"redis-{len(settings)}", *settings)
                redis.start()
                stack.callback(redis.stop)
                for history in ("off", "on"):
                    add(name, history, two, redis.url, history, redis.pid)
        yield made
