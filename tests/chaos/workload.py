"""Load on a system: clients and publishers in processes of their own, from their start to the verdict."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from chaos.publisher import Publishers
from chaos.subscribers import Group, Subscribers
from chaos.worker import Process
from ringway.testing.delivery import Order, Outcome, Verdict, give_verdict

OPEN_S = 180.0
DRAIN_S = 30.0
QUIET_S = 1.0
LOOK_S = 0.2


KEPT, FORGOTTEN = "room:", "plain:"
"""Channels with history, and without: publications there may be lost with a connection, but not silently."""

HISTORY = {"RINGWAY_NODE_NAMESPACES": "room:history_size=10000,history_ttl_s=120 plain:history_size=0"}
"""The nodes' settings for them; inside these bounds no acknowledged publication may be lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The size of the load: `kinds` has the clients of each kind, in equal parts on the channels of each prefix."""

    kinds: dict[str, int]
    rate: float
    channels: int = 20
    prefixes: tuple[str, ...] = (KEPT,)
    each: int = 1
    publishers: tuple[str, ...] = ("sdk", "sdk", "sdk", "sdk")
    filling: int = 64
    small_buffers: bool = False
    processes: int = 1
    seed: int = 1

    @property
    def names(self) -> list[str]:
        """All channels."""
        return [name for prefix in self.prefixes for name in self.named(prefix)]

    def named(self, prefix: str) -> list[str]:
        """The channels of one prefix: `prefix`0, 1, …"""
        return [f"{prefix}{number}" for number in range(self.channels // len(self.prefixes))]


@dataclass(slots=True)
class Report:
    """The result of a run."""

    verdicts: dict[str, Verdict]
    settings: dict[str, Any]
    status: dict[str, Any] = field(default_factory=dict)

    def faults(self, may_announce: tuple[str, ...] = ()) -> list[str]:
        """The problems of the servers, or of the harness, a line each.

        Announced losses are no problem in groups whose name ends with one of `may_announce`.
        """
        found = [
            f"{group}: {fault}"
            for group, verdict in self.verdicts.items()
            for fault in verdict.faults(may_announce=group.endswith(may_announce))
        ]
        if self.status.get("unanswered"):
            found.append(f"publications without an answer: {self.status['unanswered']}")
        return found + [f"the harness itself: {trouble}" for trouble in self.status.get("troubles", [])]

    def as_json(self) -> dict[str, Any]:
        """The whole verdict, as plain values."""
        verdicts = {kind: verdict.as_json({}) for kind, verdict in self.verdicts.items()}
        for verdict in verdicts.values():
            del verdict["settings"]
        return {"settings": self.settings, "status": self.status, "verdicts": verdicts}

    def __str__(self) -> str:
        return json.dumps(self.as_json(), indent=1)


class Workload:
    """A load under way. `running_load` makes it."""

    def __init__(self, load: Load, gateways: Sequence[str]) -> None:
        self.load = load
        self.since = time.monotonic()
        self.subscribers = [
            Process(Subscribers, f"{number}", self._groups(number), gateways, load.seed * 1000 + number, number)
            for number in range(load.processes)
        ]
        self.publishers = Process(
            Publishers, load.publishers, load.names, gateways, load.rate, load.filling, load.seed * 1000 + 999
        )

    def _groups(self, number: int) -> list[Group]:
        """The part of the process `number` in the clients."""
        load = self.load
        parts = len(load.prefixes) * load.processes
        groups = []
        for kind, count in load.kinds.items():
            for index, prefix in enumerate(load.prefixes):
                share = (count + index * load.processes + number) // parts
                name = f"{kind} {prefix.rstrip(':')}"
                groups.append(Group(name, kind, share, load.named(prefix), load.each, load.small_buffers))
        return groups

    def open(self) -> None:
        """Connect all clients, and begin to publish."""
        for process in (*self.subscribers, self.publishers):
            process.ask("begin")
        self.wait(lambda: self.all_subscribed() and self.all_connected(), "all clients to be subscribed", OPEN_S)
        self.publishers.ask("publish")
        self.since = time.monotonic()

    def status(self) -> list[dict[str, Any]]:
        """The numbers of each process of subscribers."""
        for process in self.subscribers:
            process.tell("status")
        return [process.answer("status") for process in self.subscribers]

    def troubles(self) -> list[str]:
        """The errors of the harness itself."""
        publishers = self.publishers.ask("status")
        return [trouble for each in (publishers, *self.status()) for trouble in each["troubles"]] + publishers["errors"]

    def all_subscribed(self) -> bool:
        """True if every client is subscribed to all its channels."""
        return all(status["subscribed"] == status["clients"] for status in self.status())

    def all_connected(self) -> bool:
        """True if every publisher is connected."""
        status = self.publishers.ask("status")
        return bool(status["connected"] == status["publishers"])

    def nodes(self) -> dict[str, int]:
        """The number of clients at each node, by their own knowledge."""
        found: dict[str, int] = {}
        for process in self.subscribers:
            for node, count in process.ask("nodes").items():
                found[node] = found.get(node, 0) + count
        return found

    def wait(self, condition: Callable[[], bool], what: str, deadline_s: float = 60.0) -> float:
        """Return the time until `condition` was true; raise `TimeoutError` with the state of the load."""
        began = time.monotonic()
        while not condition():
            if troubles := self.troubles():
                raise RuntimeError(f"the harness itself failed: {troubles[0]}")
            if time.monotonic() - began > deadline_s:
                raise TimeoutError(
                    f"waited {deadline_s:g} s for {what}: {self.status()}, {self.publishers.ask('status')}"
                )
            time.sleep(LOOK_S)
        return time.monotonic() - began

    def finish(self, **settings: Any) -> Report:
        """Heal and drain: stop publishing, wait until all are back and no more messages come; then judge."""
        self.publishers.ask("halt")
        status: dict[str, Any] = {}
        try:
            self.wait(lambda: not self.publishers.ask("status")["pending"], "answers to all publications", DRAIN_S)
            self.wait(self.all_subscribed, "all clients to be back", DRAIN_S)
            self._wait_quiet()
            for process in self.subscribers:  # balancing goes on, and some clients may be on their way at any moment
                self.wait(lambda process=process: process.ask("seal"), "all clients to be there", DRAIN_S)
        except TimeoutError as error:
            status["not_drained"] = str(error)
        return self._judge(status, settings)

    def _wait_quiet(self) -> None:
        """Return when nothing was delivered for a while."""
        before, since = -1, time.monotonic()
        while time.monotonic() - since < QUIET_S:
            delivered = sum(status["delivered"] for status in self.status())
            if delivered != before:
                before, since = delivered, time.monotonic()
            time.sleep(LOOK_S)

    def _judge(self, status: dict[str, Any], settings: dict[str, Any]) -> Report:
        published = self.publishers.ask("published")
        order = Order()
        for process in self.subscribers:
            order.merge(process.ask("order"))
        order.prove(published)
        verdicts: dict[str, Verdict] = {}
        for process in self.subscribers:
            process.tell("judge", published, order, self.since)
        for process in self.subscribers:
            for kind, verdict in process.answer("judge").items():
                whole = verdicts.setdefault(kind, give_verdict([], published, order))
                whole.merge(verdict)
        publishers = self.publishers.ask("status")
        subscribers = self.status()
        status |= {
            "published": {outcome.name.lower(): published.count(outcome) for outcome in Outcome},
            "publishers_closed": dict(Counter(code for _, code, _ in publishers["closes"])),
            "followed": sum(each["followed"] for each in subscribers),
            "unanswered": publishers["pending"],
            "turns_skipped": publishers["skipped"],
            "publisher_late_s": round(publishers["late_s"], 3),
            "clients_late_s": {at: round(max(each["late_s"][at] for each in subscribers), 3) for at in ("p99", "max")},
            "refusals": {text: count for each in subscribers for text, count in each["refusals"].items()},
            "failed_attempts": [list(pair) for each in subscribers for pair in each["failures"]],
            "troubles": self.troubles(),
            "seconds": round(time.monotonic() - self.since, 1),
            "acked_per_s": round(published.count(Outcome.ACKED) / (time.monotonic() - self.since), 1),
        }
        return Report(verdicts, {**asdict(self.load), **settings}, status)

    def end(self) -> None:
        """End the processes."""
        for process in (*self.subscribers, self.publishers):
            process.end()


@contextmanager
def running_load(load: Load, gateways: Sequence[str]) -> Iterator[Workload]:
    """Put `load` on the system behind `gateways`, and take it off with the end of the block."""
    workload = Workload(load, gateways)
    try:
        workload.open()
        yield workload
    finally:
        workload.end()
