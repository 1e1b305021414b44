"""Metrics of the hooks of a node."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ringway.admin.metric import Sample, Source
from ringway.app.metric import counter, gauge

if TYPE_CHECKING:  # a process loads only the components that it runs
    from ringway.hooks.hooks import Hooks

REQUESTS = counter(
    "hook_requests_total",
    "Commands that needed a hook, by event and outcome: ok, error and disconnect are answers of the backend; timeout, "
    "unreachable, status and unreadable are failures; full, late and open were not sent (too many commands wait, the "
    "turn did not come in time, the breaker is open), nor was gone (the client had left).",
    "hook",
    "event",
    "outcome",
)
SECONDS = counter(
    "hook_request_seconds_total",
    "Time until the answers of requests that were sent; divided by their number it is the mean.",
    "hook",
    "event",
)
WAITING = gauge("hook_waiting", "Commands that wait for their turn at a hook.", "hook")
OPEN = gauge("hook_open", "1 if the breaker of a hook is open: its commands are refused at once.", "hook")
OPENED = counter("hook_opened_total", "Times that the breaker of a hook has opened.", "hook")
HOOKS = (REQUESTS, SECONDS, WAITING, OPEN, OPENED)


def read_hooks_of(hooks: "Hooks") -> Source:
    """Return the source for the hooks of a node."""

    def read() -> Iterator[Sample]:
        for hook in hooks:
            stats, name = hook.stats, hook.name
            for (event, outcome), count in list(stats.requests.items()):
                yield Sample(REQUESTS, count, (name, event, outcome.value))
            for event, seconds in stats.seconds.items():
                if seconds:
                    yield Sample(SECONDS, seconds, (name, event))
            yield Sample(WAITING, hook.waiting, (name,))
            yield Sample(OPEN, int(hook.is_open), (name,))
            yield Sample(OPENED, stats.opened, (name,))

    return read
