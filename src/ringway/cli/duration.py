"""Durations as people write them: `90`, `60s`, `5m`, `1h30m`."""

import re

from ringway.errors import ConfigError
from ringway.protocol.order import DRAIN_WITHIN_S_MAX

UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}

_FORM = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?")


def read_pause(text: str) -> float:
    """Return the seconds of the duration `text`; 0 is allowed. Raise `ConfigError` if it is not a duration."""
    return 0.0 if text.strip() in ("0", "0s") else read_duration(text)


def read_duration(text: str) -> float:
    """Return the seconds of the duration `text`, above 0. Raise `ConfigError` if it is not a duration above 0."""
    found = _FORM.fullmatch(text.strip())
    parts = found.groups() if found else ()
    seconds = sum(float(part) * unit for part, unit in zip(parts, UNITS.values(), strict=False) if part)
    if seconds <= 0:
        raise ConfigError(f"{text!r} is no duration; give one above 0, such as 60s, 5m or 1h30m")
    return seconds


def read_drain_within(text: str | None) -> float:
    """Return the seconds of the deadline `text` of a drain; 0 for None. Raise `ConfigError` if it cannot be one."""
    if text is None:
        return 0.0
    seconds = read_duration(text)
    if seconds > DRAIN_WITHIN_S_MAX:
        raise ConfigError(
            f"{text!r} is too long for a drain; give at most {DRAIN_WITHIN_S_MAX / 3600:g}h, or leave --within out for "
            "no deadline"
        )
    return seconds
