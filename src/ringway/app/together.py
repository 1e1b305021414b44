"""Settings that contradict each other, or that need a further setting: refused, never silently ignored.

Two settings with the same meaning are no mistake if they come from different sources: a flag overrides a file. Files
and the environment are often shared by processes of several kinds. So a setting that merely has no effect is refused
only as a flag, which was written for this process.
"""

from collections.abc import Iterator, Mapping

from ringway.app.field import Field
from ringway.app.load import Given, Layer
from ringway.auth.config import KEYS, PREVIOUS

ALTERNATIVES = (
    ("engine.secret", "engine.secret_file"),
    ("engine.previous_secret", "engine.previous_secret_file"),
    ("engine.hash_secret", "engine.hash_secret_file"),
    ("http_api.key", "http_api.key_file"),
    ("postgresql.dsn", "postgresql.dsn_file"),
    *(
        (f"{section}.{name}", f"{section}.{name}_file")
        for section in ("token", "subscription_token")
        for name in (*KEYS, PREVIOUS)
    ),
)
"""Pairs with the same meaning; the setting from the later source is used."""

NATS_ONLY = ("engine.history_storage", "engine.history_replicas", "engine.history_bytes_max")


def strength(given: Given) -> int:
    """Return the rank of a value's source; the value with the greater rank is used."""
    if given.origin.startswith("--"):
        return 3
    if given.origin.startswith("environment "):
        return 2
    return 0 if given.origin.startswith("the running system") else 1


def settle(layer: Layer, fields: Mapping[str, Field], problems: list[str]) -> Layer:
    """Return `layer` without overridden settings; settings that exclude each other are `problems`."""
    said = {path: given for path, given in layer.items() if _says_something(given, fields[path])}
    overruled = set()
    for pair in ALTERNATIVES:
        if all(path in said for path in pair):
            weaker, stronger = sorted(pair, key=lambda path: strength(said[path]))
            if strength(said[weaker]) == strength(said[stronger]):
                both = " and ".join(_named(path, said) for path in pair)
                problems.append(f"{both} say the same twice; give one of them")
            overruled.add(weaker)
    problems += _problems(said)
    return {path: given for path, given in layer.items() if path not in overruled}


def _problems(said: Layer) -> Iterator[str]:
    url = str(said["engine.url"].value) if "engine.url" in said else ""
    if url and not url.startswith(("nats:", "tls:")):
        for path in NATS_ONLY:
            if path in said:
                yield f"{_named(path, said)} is for NATS, and the engine is not NATS; leave it out"
    for path in said:
        if strength(said[path]) < 3:
            continue
        if path.startswith("load.") and "load.collect" not in said:
            yield f"{_named(path, said)} has no effect, because nothing is collected; give --collect, or leave it out"
        if path in ("admin.port", "admin.host") and _is_off("admin.enabled", said):
            yield f"{_named(path, said)} has no effect, because there is no admin port; leave out --no-admin-enabled"


def _says_something(given: Given, field: Field) -> bool:
    """Return true if a value differs from the default. `ringway config show` writes all defaults out."""
    value = tuple(given.value) if isinstance(given.value, list) else given.value
    return value not in ("", (), None) and str(value) != str(field.default)


def _is_off(path: str, said: Layer) -> bool:
    return path in said and str(said[path].value).lower() in ("false", "0")


def _named(path: str, said: Layer) -> str:
    return f"{path} ({said[path].origin})"
