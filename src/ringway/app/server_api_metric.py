"""Metrics of the server API of a node."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ringway.admin.metric import Sample, Source
from ringway.app.metric import counter

if TYPE_CHECKING:  # a process loads only the components that it runs
    from ringway.node.server_api.stats import ServerApiStats

CALLS = counter(
    "server_api_calls_total",
    "Calls of the server API by method and outcome: ok, or the code of the error. The commands of a batch, "
    "and rows of the outbox, count each.",
    "method",
    "outcome",
)
REFUSED = counter(
    "server_api_refused_total",
    "Requests at the port of the server API that were no call, by HTTP status: 401 without a known key, 400 with a "
    "body that cannot be read, 404 for an unknown method.",
    "status",
)
SERVER_API = (CALLS, REFUSED)


def read_server_api(stats: "ServerApiStats | None") -> list[Source]:
    """Return the source for a server API; an empty list without one."""
    if stats is None:
        return []

    def read() -> Iterator[Sample]:
        for (method, outcome), count in list(stats.calls.items()):
            yield Sample(CALLS, count, (method, outcome))
        for status, count in list(stats.refused.items()):
            yield Sample(REFUSED, count, (str(status),))

    return [read]
