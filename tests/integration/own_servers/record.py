"""Rows of the table: what the clients of a stack saw at an event."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from integration.own_servers.driver import Clients
from integration.own_servers.moving import drained, scale_out
from integration.own_servers.running import OwnServers, Source, own_servers
from integration.own_servers.scenario import BACK_S, fullest, kill_fullest, kill_gateway, stop_fullest
from integration.own_servers.seen import Seen
from integration.own_servers.stack import Stack

NAMES = ("a", "b", "c")
NEW = "d"
WATCH_S = 45.0
"""The time for which clients are watched after an event that some of them may never notice."""

LATE_S = 6.0
"""The time for answers that are under way at the end of that, and for clients to count the others as lost."""

CALM = (40, 1000)
"""Clients, and milliseconds between two messages of each, where connections are moved as planned."""

BUSY = (9, 200)
"""The same for faults."""


@dataclass(frozen=True)
class Happening:
    """One event: what it means, on-move of the backends, clients, and what happens; that returns what they saw."""

    meaning: str
    on_move: str
    clients: tuple[int, int]
    happen: Callable[[OwnServers, Clients], list[Seen]]


def _scale_out(servers: OwnServers, clients: Clients) -> list[Seen]:
    try:
        at = scale_out(servers, clients, NEW)
        clients.settle(BACK_S)
        return [driver.seen(at) for driver in clients.drivers if driver.instance == NEW]
    finally:
        servers.remove(NEW)


def _drain(servers: OwnServers, clients: Clients) -> list[Seen]:
    loss = fullest(clients)
    with drained(servers, clients, loss):
        clients.settle(BACK_S)
        return [driver.seen(loss.at) for driver in loss.hit]


def _kill(servers: OwnServers, clients: Clients) -> list[Seen]:
    loss = kill_fullest(servers, clients)
    clients.settle(BACK_S)
    seen = [driver.seen(loss.at) for driver in loss.hit]
    servers.restart(loss.instance)
    return seen


def _stop(servers: OwnServers, clients: Clients) -> list[Seen]:
    loss = stop_fullest(servers, clients)
    clients.settle(BACK_S)
    seen = [driver.seen(loss.at) for driver in loss.hit]
    servers.restart(loss.instance)
    return seen


def _kill_gateway(servers: OwnServers, clients: Clients) -> list[Seen]:
    at = kill_gateway(servers, clients)
    clients.settle(BACK_S)
    return clients.seen(at)


def _kill_unseen(servers: OwnServers, clients: Clients) -> list[Seen]:
    """Kill an instance, and watch its clients whether they come to be served or not."""
    loss = fullest(clients)
    servers.instances[loss.instance].kill()
    while time.monotonic() < loss.at + WATCH_S:
        time.sleep(1)
        clients.read_events()
    with suppress(TimeoutError):
        clients.settle(LATE_S)
    seen = [driver.seen(loss.at) for driver in loss.hit]
    servers.restart(loss.instance)
    return seen


EVENTS = {
    "scale-out": Happening("a fourth instance beside three, which gets its share", "auto", CALM, _scale_out),
    "drain": Happening("`ringway drain` of an instance", "auto", CALM, _drain),
    "kill": Happening("`kill -9` of an instance", "auto", BUSY, _kill),
    "stop": Happening("SIGTERM to an instance that was not drained", "auto", BUSY, _stop),
    "kill-gateway": Happening("`kill -9` of the gateway, which is started again", "auto", BUSY, _kill_gateway),
    "kill-close": Happening("`kill -9` of an instance, `on-move=close`", "close", BUSY, _kill),
    "kill-reopen": Happening("`kill -9` of an instance, `on-move=reopen`", "reopen", BUSY, _kill_unseen),
}


@dataclass(frozen=True)
class Row:
    """What the clients of one stack saw that one event hit."""

    stack: Stack
    event: str
    seen: Sequence[Seen]


def record(stack: Stack, events: Iterable[str]) -> Iterator[Row]:
    """Let each of `events` happen to running servers of a stack; events of one `on_move` happen to one system."""
    by_mode: dict[str, list[str]] = {}
    for event in events:
        by_mode.setdefault(EVENTS[event].on_move, []).append(event)
    for on_move, several in by_mode.items():
        with own_servers(stack, NAMES, Source.FILE, on_move) as servers:
            for event in several:
                with servers.clients(*EVENTS[event].clients) as clients:
                    yield Row(stack, event, EVENTS[event].happen(servers, clients))


COLUMNS: Sequence[tuple[str, Callable[[Row], object]]] = (
    ("server and client", lambda row: row.stack.name),
    ("event", lambda row: row.event),
    ("clients hit", lambda row: len(row.seen)),
    ("client is told", lambda row: told(row.seen)),
    ("connections made again", lambda row: sum(seen.reconnects for seen in row.seen)),
    ("greeted again", lambda row: sum(seen.greetings for seen in row.seen)),
    ("longest silence, s", lambda row: f"{silence_s(row.seen):.1f}"),
    ("lost acknowledgements", lambda row: lost(row.seen)),
    ("slowest acknowledgement, s", lambda row: f"{max(seen.slowest_s for seen in row.seen):.1f}"),
    ("errors", lambda row: _join(error for seen in row.seen for error in (*seen.errors, *seen.gave_up))),
)


def told(several: Iterable[Seen]) -> str:
    """Return what the libraries of clients said of their connections' ends; "-" if nothing."""
    return _join(close for seen in several for close in seen.closes)


def silence_s(several: Iterable[Seen]) -> float:
    """Return the longest silence of any client."""
    return max(seen.silent_s for seen in several)


def lost(several: Iterable[Seen]) -> int:
    """Return how many messages were not acknowledged."""
    return sum(seen.lost + seen.waiting for seen in several)


def _join(words: Iterable[str]) -> str:
    """Return different words, each once, in the order in which they came first."""
    return ", ".join(dict.fromkeys(words)) or "-"


def table(rows: Iterable[Row]) -> str:
    """Return rows as a Markdown table."""
    lines = [[title for title, _ in COLUMNS], ["---"] * len(COLUMNS)]
    lines += [[str(cell(row)) for _, cell in COLUMNS] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
