"""Retry-After of a server: in seconds, or as a date (RFC 9110, 10.2.3). Pure."""

from email.utils import mktime_tz, parsedate_tz

from ringway.protocol.upgrade import Headers, value_of


def retry_after_s(headers: Headers, wall: float | None = None) -> float:
    """Return the pause in seconds that these headers request; 0 without a readable request.

    A date is compared with the server's own `Date`, since clocks differ; without one with `wall`, Unix time.
    """
    said = (value_of(headers, "retry-after") or "").strip()
    if said.isascii() and said.isdecimal():
        return float(said)
    until = _read_date(said)
    if until is None:
        return 0.0
    now = _read_date(value_of(headers, "date") or "")
    if now is None:
        now = until if wall is None else wall
    return max(0.0, until - now)


def _read_date(text: str) -> float | None:
    """Return the Unix time of an HTTP date, in any of its three forms (RFC 9110, 5.6.7); None for anything else."""
    try:
        parts = parsedate_tz(text)
        if parts is None:
            return None
        return mktime_tz((*parts[:9], parts[9] or 0))  # all of them are in GMT
    except (IndexError, OverflowError, TypeError, ValueError):
        return None
