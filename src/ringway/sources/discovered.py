"""Specs of backends that a registry knows: their common options are those of a `--backend`."""

from collections.abc import Collection

from ringway.core.backend_spec import read_backend
from ringway.errors import ConfigError
from ringway.protocol.backend import Backend
from ringway.protocol.order import DRAIN_WITHIN_S_MAX
from ringway.protocol.spec import OptionErrors, read_pairs


def split_own(options: Collection[str], own: Collection[str], subject: str) -> tuple[dict[str, str], list[str]]:
    """Return the values of the `options` that `own` names, and the other options; raise `ConfigError`."""
    problems: list[str] = []
    mine = [option for option in options if option.partition("=")[0].strip() in own]
    errors = OptionErrors(
        unknown="{option}",
        malformed="the option {item!r} of {subject} has no value; give one, or leave it out",
        repeated="the option {option} of {subject} is given twice; give it once",
    )
    given = read_pairs(mine, subject, errors, problems)
    problems += (
        f"{option}= of {subject} is empty; give a value, or leave it out" for option in given if not given[option]
    )
    if problems:
        raise ConfigError(*problems)
    return given, [option for option in options if option not in mine]


def read_template(url: str, options: Collection[str], subject: str, named_after: str) -> Backend:
    """Return the common fields of all backends of `subject`; name, address and life are added later.

    `url` is a URL of their form. Raise `ConfigError` with every problem.
    """
    if any(option.partition("=")[0].strip() == "name" for option in options):
        raise ConfigError(f"name= has no place in {subject}: its backends are named after {named_after}; leave it out")
    return read_backend(",".join([url, *options]))


def read_drain_within(text: str, subject: str) -> float:
    """Return the seconds of the option `drain-within=`; raise `ConfigError`."""
    try:
        seconds = float(text.removesuffix("s"))
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= DRAIN_WITHIN_S_MAX:
        raise ConfigError(
            f"drain-within={text} of {subject} must be 0 to {DRAIN_WITHIN_S_MAX:g} seconds; 0 is no deadline"
        )
    return seconds
