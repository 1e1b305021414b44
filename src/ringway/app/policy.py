"""The policy as a setting: in its short form, or as a table in the TOML file.

    policy = "rendezvous:key=query.room,c=1.1"          [gateway.policy]
                                                        name = "rendezvous"
                                                        key = "query.room"
                                                        c = 1.1

Both mean the same. The table becomes the short form as soon as it is read, so there is one form everywhere else.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ringway.app.load import Given, Layer
from ringway.core.placement import Spec, parse_spec, spec_of_table
from ringway.core.steering import Steering
from ringway.errors import ConfigError

POLICY = "gateway.policy"


def shorten_policy(layer: Layer) -> Layer:
    """Return `layer` with the policy in its short form; raise `ConfigError` where a table has none."""
    given = layer.get(POLICY)
    if given is None or not isinstance(given.value, Mapping):
        return layer
    with _named(given):
        spec = spec_of_table(given.value)
        if not _survives(spec):
            raise ConfigError("no name and no value may hold a comma, or '=' before the first; write them without")
    return {**layer, POLICY: Given(str(spec), given.origin)}


def check_policy(policy: str, origin: str) -> None:
    """Raise `ConfigError` that names the setting, its origin and what would be right, where there is no such policy."""
    with _named(Given(policy, origin)):
        Steering(policy, b"")


@contextmanager
def _named(given: Given) -> Iterator[None]:
    """Put the setting, its value and its origin before what is wrong with it."""
    try:
        yield
    except ConfigError as error:
        where = f"{POLICY} is {given.value!r} ({given.origin}): "
        raise ConfigError(*(where + problem for problem in error.problems)) from None


def _survives(spec: Spec) -> bool:
    """Whether `spec` is the same after a way through its short form."""
    try:
        return parse_spec(str(spec)) == spec
    except ConfigError:
        return False
