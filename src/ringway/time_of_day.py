"""Time of day of a moment, for operators: beside a duration, since a line is read later than it was written."""

import time


def time_of_day(at: float) -> str:
    """Return the local time of day of `at` (Unix time) with its zone, `14:03:12 CET`; with the date if not today."""
    moment = time.localtime(at)
    today = time.strftime("%Y-%m-%d") == time.strftime("%Y-%m-%d", moment)
    return time.strftime("%H:%M:%S %Z" if today else "%Y-%m-%d %H:%M:%S %Z", moment)
