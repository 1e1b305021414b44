"""What a collector is: it asks one place about one node, once, and says what it was told."""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from ringway.core.custom.agent import Words
from ringway.core.load import NodeLoad
from ringway.errors import ConfigError, RingwayError
from ringway.protocol.address import Url, bracketed, read_url
from ringway.types import NodeName

NODE_PORTS = {"ws": 80, "wss": 443}

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
    """Return what collectors are told of `node`; the host is empty where it reports none."""
    url = node.report.url if node.report is not None else ""
    try:
        parts = read_url(url, NODE_PORTS, "")
    except ConfigError:  # nobody is connected to such a node either
        parts = Url("ws", "", 0, "", "")
    return Facts(
        name=node.name,
        url=url,
        host=parts.host,
        port=parts.port,
        zone=node.report.zone if node.report is not None else "",
        weight=node.weight_own,
        load=node.load,
    )


def fill(template: str, node: Facts) -> str:
    """Return the URL `template` with the node's facts in place of `{host}`, `{port}` and `{name}`."""
    return (
        template.replace("{host}", bracketed(node.host)).replace("{port}", str(node.port)).replace("{name}", node.name)
    )


def check_template(template: str) -> str:
    """Return `template` as it is filled for some node; raise `ConfigError` where it has an unknown placeholder."""
    sample = fill(template, Facts(name=NodeName("node-1"), url="ws://127.0.0.1:80", host="127.0.0.1", port=80))
    if "{" in sample or "}" in sample:
        raise ConfigError(f"the source {template!r} has a placeholder other than {', '.join(PLACEHOLDERS)}")
    return sample


def check_address(template: str, usual_ports: Mapping[str, int | None]) -> str:
    """Return `template`, checked to be a URL as `read_url` takes it, for some node.

    Raise `ConfigError` that says what is wrong with it.
    """
    read_url(check_template(template), usual_ports, _form(usual_ports), "give them as options, such as bearer=$TOKEN")
    return template


def read_source(url: str, usual_ports: Mapping[str, int | None]) -> Url:
    """Return the parts of a template that was filled; raise `CollectFailed` where it is no URL."""
    try:
        return read_url(url, usual_ports, _form(usual_ports))
    except ConfigError as error:
        raise CollectFailed(str(error)) from None


def _form(usual_ports: Mapping[str, int | None]) -> str:
    return f"write {next(iter(usual_ports))}://{{host}}:port"
