"""Metrics of the sources of a gateway's backends, and of the registration port."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ringway.admin.metric import Sample, Source
from ringway.app.metric import Table, counter, gauge, read_stats

if TYPE_CHECKING:  # a process loads only the components that it runs
    from ringway.gateway.backends.book import BackendBook
    from ringway.sources.registration.stats import RegistrationStats

REGISTRATION: Table = {
    "leases": gauge("registration_leases", "Backends that hold a lease at this gateway's registration port."),
    "registered": counter(
        "registrations_total",
        "Registrations: new, restarted (a new incarnation), again (the same, with its settings sent anew).",
        "kind",
    ),
    "renewed": counter("registration_renewals_total", "Leases that were renewed."),
    "drains": counter("registration_drains_total", "Drains that servers asked for."),
    "left": counter("registration_left_total", "Registrations that servers ended themselves."),
    "expired": counter("registration_expired_total", "Leases that were not renewed in time; their backends are lost."),
    "refused": counter(
        "registration_refused_total",
        "Requests that were refused: invalid (wrong values), token (none, or unknown), page (of a different site), "
        "unknown (no lease), held (the name belongs to a different server), too_short (a drain), full, and request "
        "(path, method, size).",
        "cause",
    ),
}

SOURCE_BACKENDS = gauge(
    "source_backends", "Backends that each source has offered last: settings, a file, a name in DNS, ...", "source"
)
SOURCE_FAILURES = counter(
    "source_failures_total", "Times that a source could not be read, or for a new reason.", "source"
)
SOURCE_STALE = gauge(
    "source_stale_seconds", "Age of the last good list of a source that cannot be read; 0 while it can.", "source"
)
SOURCES = (SOURCE_BACKENDS, SOURCE_FAILURES, SOURCE_STALE)


def read_registrations(stats: "RegistrationStats | None") -> list[Source]:
    """Return the source for a registration port; an empty list without a port."""
    return [read_stats(stats, REGISTRATION)] if stats is not None else []


def read_sources(book: "BackendBook") -> Source:
    """Return a source for the state of the sources of backends."""

    def read() -> Iterator[Sample]:
        for name, record in list(book.sources.items()):
            yield Sample(SOURCE_BACKENDS, len(record.offers), (name,))
            yield Sample(SOURCE_FAILURES, record.failures, (name,))
            yield Sample(SOURCE_STALE, round(book.stale_s(record), 3), (name,))

    return read
