"""What a client saw, computed from the events that its program printed.

    event         fields           meaning
    connected     instance         the library says that it is connected, and the server has said its name
    greeted       instance         a server has said its name, although the library knows of no new connection
    disconnected  code, reason     the library says that it is not connected any more
    sent          n                the client has given message n to its library
    acked         n, instance      an instance has acknowledged message n
    lost          n, why           the library says that message n was not acknowledged
    tick          instance         a message of a subscription has come
    error         why              the library says that something failed; it goes on
    gave_up       why              the library says that it has ended a subscription, and does not go on
    paused        -                the client sends nothing until `resumed`

Each has `at`, in seconds of the monotonic clock of the machine, and `client`, the number of the client in its program.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Event = Mapping[str, Any]

SIGNS = ("acked", "tick")
"""Events that show that the server is there. Each is expected again and again, if it has come once."""


@dataclass(frozen=True)
class Seen:
    """What one client saw.

    `instance` is the one that it is connected to, as its server said last; None while it is not connected.
    `waiting` counts messages that are neither acknowledged nor lost. `silent_s` is the longest time without an
    acknowledgement, or without a message of a subscription, whichever is longer. `greetings` counts servers that
    began anew behind a connection that the client kept. `instances` are those that were heard, in order. `closes` are
    codes and reasons, as the library showed them.
    """

    instance: str | None
    sent: int
    acked: int
    lost: int
    waiting: int
    silent_s: float
    slowest_s: float
    reconnects: int
    greetings: int
    instances: Sequence[str]
    closes: Sequence[str]
    errors: Sequence[str]
    gave_up: Sequence[str]


def see(events: Sequence[Event], now: float, since: float = 0.0) -> Seen:
    """Sum up the events of one client until `now`; count what happened at `since` or later."""
    late = [event for event in events if event["at"] >= since]
    sent = {event["n"]: event["at"] for event in events if event["event"] == "sent"}
    ended = {event["n"] for event in events if event["event"] in ("acked", "lost")}
    acked = [event for event in late if event["event"] == "acked"]
    before = any(event["event"] == "connected" for event in events if event["at"] < since)
    connections = _named(late, "connected")
    return Seen(
        instance=_instance(events),
        sent=len(_named(late, "sent")),
        acked=len(acked),
        lost=len(_named(late, "lost")),
        waiting=len(sent.keys() - ended),
        silent_s=max(_silences(events, now, since, sign) for sign in SIGNS),
        slowest_s=max((event["at"] - sent[event["n"]] for event in acked), default=0.0),
        reconnects=len(connections) - (0 if before or not connections else 1),
        greetings=len(_named(late, "greeted")),
        instances=_without_repeats(event["instance"] for event in late if "instance" in event),
        closes=[_close(event) for event in _named(late, "disconnected")],
        errors=[event["why"] for event in _named(late, "error")],
        gave_up=[event["why"] for event in _named(late, "gave_up")],
    )


def _named(events: Iterable[Event], name: str) -> list[Event]:
    return [event for event in events if event["event"] == name]


def _instance(events: Sequence[Event]) -> str | None:
    """Return the instance of the last event that tells one, unless the connection ended after it."""
    for event in reversed(events):
        if event["event"] == "disconnected":
            return None
        if "instance" in event:
            return str(event["instance"])
    return None


def _silences(events: Sequence[Event], now: float, since: float, sign: str) -> float:
    """Return the longest time between two signs of one kind that ended after `since`; a pause is no silence."""
    longest, last = 0.0, None
    for event in events:
        if sign == "acked" and event["event"] == "paused":
            last = None
        elif event["event"] == sign:
            if last is not None and event["at"] >= since:
                longest = max(longest, event["at"] - max(last, since))
            last = event["at"]
    return longest if last is None else max(longest, now - max(last, since))


def _without_repeats(instances: Iterable[str]) -> list[str]:
    found: list[str] = []
    for instance in instances:
        if found[-1:] != [instance]:
            found.append(instance)
    return found


def _close(event: Event) -> str:
    """Return the code and the reason that a library showed; a few show none, or only a word of their own."""
    return " ".join(str(event[part]) for part in ("code", "reason") if event.get(part)) or "nothing"
