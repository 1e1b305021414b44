"""Instances of an application, as Eureka's `GET /apps/APP` has them in JSON. Pure.

Numbers and booleans come as JSON values or as text, by the version of the registry; and an application with one
instance may have it without a list.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from ringway.protocol.address import bracketed
from ringway.protocol.backend import Backend, problems_of
from ringway.protocol.name import legal_name
from ringway.protocol.weight import WEIGHT_RULE
from ringway.sources.eureka.application import EurekaApplication, is_path


class InstancePort(msgspec.Struct, frozen=True):
    """A port of an instance, and whether it is used."""

    number: int | str = msgspec.field(name="$", default=0)
    enabled: bool | str = msgspec.field(name="@enabled", default=False)

    @property
    def used(self) -> bool:
        """True if clients may use it."""
        return str(self.enabled).lower() == "true"


class EurekaInstance(msgspec.Struct, frozen=True, rename="camel"):
    """One instance."""

    host_name: str = ""
    ip_addr: str = ""
    status: str = "UNKNOWN"
    instance_id: str = ""
    port: InstancePort = InstancePort()
    secure_port: InstancePort = InstancePort()
    metadata: dict[str, Any] | None = None

    @property
    def id(self) -> str:
        """Its id; the name of its host in registries before 1.4, which have no ids."""
        return self.instance_id or self.host_name


class _Application(msgspec.Struct, frozen=True):
    instance: list[EurekaInstance] | EurekaInstance | None = None


class _Answer(msgspec.Struct, frozen=True):
    application: _Application


def read_instances(body: bytes) -> list[EurekaInstance]:
    """Return the instances in an answer; raise `msgspec.DecodeError`."""
    found = msgspec.json.decode(body, type=_Answer).application.instance
    return [found] if isinstance(found, EurekaInstance) else found or []


def backend_of(instance: EurekaInstance, application: EurekaApplication) -> tuple[Backend | None, list[str]]:
    """Return the backend of an instance; or None, and every problem of the instance.

    Its metadata may say `ringway.weight`, `ringway.zone` (or `zone`, as Spring's clients do), `ringway.path`, and
    `ringway.life`, which is different in each run of the server.
    """
    said = {name: str(value) for name, value in (instance.metadata or {}).items()}
    template = application.template
    problems: list[str] = []
    path = said.get("ringway.path", "").rstrip("/") or application.path
    if path and not is_path(path):
        problems.append(f"ringway.path {path!r} must be a path such as /ws")
    secure = application.scheme == "wss" or (
        not application.scheme and instance.secure_port.used and not instance.port.used
    )
    port = instance.secure_port if secure else instance.port
    host = (instance.ip_addr if application.by_ip else instance.host_name) or instance.ip_addr or instance.host_name
    zone = said.get("ringway.zone") or said.get("zone")
    backend = msgspec.structs.replace(
        template,
        name=legal_name(instance.id),
        url=f"{'wss' if secure else 'ws'}://{bracketed(host)}:{port.number}{path}",
        weight=_weight(said, template.weight, problems),
        zone=legal_name(zone) if zone else template.zone,
        life=said.get("ringway.life", ""),
    )
    problems += problems_of(backend)
    if problems:
        return None, [f"the instance {instance.id} of {application.app} cannot be used: {each}" for each in problems]
    return backend, []


def _weight(said: Mapping[str, str], otherwise: float, problems: list[str]) -> float:
    text = said.get("ringway.weight")
    if not text:
        return otherwise
    try:
        return float(text)
    except ValueError:
        problems.append(f"ringway.weight {text!r} must be {WEIGHT_RULE}")
        return otherwise
