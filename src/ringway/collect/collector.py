"""Collectors: the port for sources of measures, the facts about a node, and URLs with placeholders."""

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
    """A node could not be measured this time; the next poll tries again. The text names the problem."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """The facts about a node that is to be measured."""

    name: NodeName
    url: str  # for members: ws://host:port/path
    host: str  # of that URL
    port: int
    zone: str = ""
    weight: float = 1.0  # as the node reports it
    load: int = 0  # connections, those under way included


class Collector(Protocol):
    """A source of measures. `collect` is called for several nodes at once, and is cancelled at its deadline."""

    async def collect(self, node: Facts) -> float | Words:
        """Return the value for `node`, or an agent's words; raise `CollectFailed`, or `OSError`."""
        ...

    async def close(self) -> None:
        """Close all connections. Idempotent."""
        ...


def facts_of(node: NodeLoad) -> Facts:
    """Return the facts about `node`; the host is empty if the node reports no URL."""
    url = node.report.url if node.report is not None else ""
    try:
        parts = read_url(url, NODE_PORTS, "")
    except ConfigError:  # clients cannot connect to such a node either
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
    """Return `template` filled for a sample node; raise `ConfigError` if it has an unknown placeholder."""
    sample = fill(template, Facts(name=NodeName("node-1"), url="ws://127.0.0.1:80", host="127.0.0.1", port=80))
    if "{" in sample or "}" in sample:
        raise ConfigError(f"the source {template!r} has a placeholder other than {', '.join(PLACEHOLDERS)}")
    return sample


def check_address(template: str, usual_ports: Mapping[str, int | None]) -> str:
    """Return `template` unchanged if, filled for a node, it is a URL for `read_url`.

    Otherwise raise `ConfigError` with the problem.
    """
    read_url(check_template(template), usual_ports, _form(usual_ports), "give them as options, such as bearer=$TOKEN")
    return template


def read_source(url: str, usual_ports: Mapping[str, int | None]) -> Url:
    """Return the parts of a filled template; raise `CollectFailed` if it is not a URL."""
    try:
        return read_url(url, usual_ports, _form(usual_ports))
    except ConfigError as error:
        raise CollectFailed(str(error)) from None


def _form(usual_ports: Mapping[str, int | None]) -> str:
    return f"write {next(iter(usual_ports))}://{{host}}:port"
