"""Settings that cannot have effect together, or only together with others: refused, never silently left out.

Two that say the same in two ways are no mistake where they come from different places: a flag overrules a file.
Files and the environment are often shared by processes of several kinds, so settings that merely have nothing to do are
refused only as flags, which somebody wrote for this one process.
"""

from collections.abc import Iterator, Mapping

from ringway.app.field import Field
from ringway.app.load import Given, Layer
from ringway.errors import ConfigError

ALTERNATIVES = (("engine.secret", "engine.secret_file"),)
"""Pairs that say the same; of two, the one from the later source holds."""

NATS_ONLY = ("engine.history_storage", "engine.history_replicas", "engine.history_bytes_max")

STATIC_ONLY = ("gateway.health_", "gateway.reopen_")


def strength(given: Given) -> int:
    """Return how late the source of a value comes; of two the greater wins."""
    if given.origin.startswith("--"):
        return 3
    if given.origin.startswith("environment "):
        return 2
    return 0 if given.origin.startswith("the running system") else 1


def settle(layer: Layer, fields: Mapping[str, Field]) -> Layer:
    """Return `layer` without what a later source has overruled; raise `ConfigError` for what cannot go together."""
    said = {path: given for path, given in layer.items() if _says_something(given, fields[path])}
    overruled = set()
    problems = []
    for pair in ALTERNATIVES:
        if all(path in said for path in pair):
            weaker, stronger = sorted(pair, key=lambda path: strength(said[path]))
            if strength(said[weaker]) == strength(said[stronger]):
                both = " and ".join(_named(path, said) for path in pair)
                problems.append(f"{both} say the same twice; give one of them")
            overruled.add(weaker)
    problems += _problems(said)
    if problems:
        raise ConfigError(*problems)
    return {path: given for path, given in layer.items() if path not in overruled}


def _problems(said: Layer) -> Iterator[str]:
    static = "static.backends" in said
    if static and "engine.url" in said:
        yield (
            f"{_named('static.backends', said)} and {_named('engine.url', said)} exclude each other: a gateway "
            "over static backends has no engine; give one of them"
        )
    url = str(said["engine.url"].value) if "engine.url" in said else ""
    if url and not url.startswith(("nats:", "tls:")):
        for path in NATS_ONLY:
            if path in said:
                yield f"{_named(path, said)} is for NATS, and the engine is another; leave it out"
    for path in said:
        if strength(said[path]) < 3:
            continue
        if path.startswith("load.") and "load.collect" not in said:
            yield f"{_named(path, said)} has no effect, because nothing is collected; give --collect, or leave it out"
        if path.startswith(STATIC_ONLY) and not static:
            yield f"{_named(path, said)} is for static backends, and there are none; give --backend, or leave it out"
        if path.startswith("balance.") and static:
            yield f"{_named(path, said)} has no effect: nothing is balanced over static backends; leave it out"
        if path in ("admin.port", "admin.host") and _is_off("admin.enabled", said):
            yield f"{_named(path, said)} has no effect, because there is no admin port; leave out --no-admin-enabled"


def _says_something(given: Given, field: Field) -> bool:
    """Whether a value is more than the default written out, as `ringway config show` does for all."""
    value = tuple(given.value) if isinstance(given.value, list) else given.value
    return value not in ("", (), None) and str(value) != str(field.default)


def _is_off(path: str, said: Layer) -> bool:
    return path in said and str(said[path].value).lower() in ("false", "0")


def _named(path: str, said: Layer) -> str:
    return f"{path} ({said[path].origin})"
