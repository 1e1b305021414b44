"""What a collector is: it asks one place about one node, once, and says what it was told."""

from typing import Protocol
from urllib.parse import urlsplit

import msgspec

from ringway.core.custom.agent import Words
from ringway.core.load import NodeLoad
from ringway.errors import ConfigError, RingwayError
from ringway.types import NodeName

PLACEHOLDERS = ("{host}", "{port}", "{name}")


class CollectFailed(RingwayError):
    """A node could not be measured this time; the next poll tries again. Says what was wrong with which answer."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the node that is to be measured."""

    name: NodeName
    url: str  # where members reach it: ws://host:port/path
    host: str  # of that URL
    port: int
    zone: str = ""
    weight: float = 1.0  # as the node reports it
    load: int = 0  # connections, with those on their way


class Collector(Protocol):
    """Asks about nodes. `collect` is called for several nodes at one time, and is cancelled at its deadline."""

    async def collect(self, node: Facts) -> float | Words:
        """Return what is measured at `node`, or an agent's words; raise `CollectFailed`, or `OSError`."""
        ...

    async def close(self) -> None:
        """Release what is held. Idempotent."""
        ...


def facts_of(node: NodeLoad) -> Facts:
    """Return what collectors are told of `node`."""
    url = node.report.url if node.report is not None else ""
    parts = urlsplit(url)
    return Facts(
        name=node.name,
        url=url,
        host=parts.hostname or "",
        port=parts.port or (443 if parts.scheme == "wss" else 80),
        zone=node.report.zone if node.report is not None else "",
        weight=node.weight_own,
        load=node.load,
    )


def fill(template: str, node: Facts) -> str:
    """Return the URL `template` with the node's facts in place of `{host}`, `{port}` and `{name}`."""
    host = f"[{node.host}]" if ":" in node.host else node.host
    return template.replace("{host}", host).replace("{port}", str(node.port)).replace("{name}", node.name)


def check_template(template: str) -> str:
    """Return `template` as it is filled for some node; raise `ConfigError` where it has an unknown placeholder."""
    sample = fill(template, Facts(name=NodeName("node-1"), url="ws://127.0.0.1:80", host="127.0.0.1", port=80))
    if "{" in sample or "}" in sample:
        raise ConfigError(f"the source {template!r} has a placeholder other than {', '.join(PLACEHOLDERS)}")
    return sample


def check_address(template: str, *schemes: str, port: int | None = None) -> str:
    """Return `template`, checked to be a URL of one of `schemes` with a host and, unless `port` is usual, a port.

    Raise `ConfigError` that says what is wrong with it.
    """
    sample = check_template(template)
    try:
        parts = urlsplit(sample)
        given = parts.port
    except ValueError as error:
        raise ConfigError(
            f"the source {template!r} cannot be read ({error}); write {schemes[0]}://{{host}}:port"
        ) from None
    if parts.scheme not in schemes or not parts.hostname:
        raise ConfigError(f"the source {template!r} names no host; write {schemes[0]}://{{host}}:port")
    if parts.username is not None or parts.password is not None:
        raise ConfigError(
            f"the source at {parts.hostname!r} holds credentials; give them as options, such as bearer=$TOKEN"
        )
    if given is None and port is None:
        raise ConfigError(f"the source {template!r} names no port; write {schemes[0]}://{{host}}:port")
    return template
