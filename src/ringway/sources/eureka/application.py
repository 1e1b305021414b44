"""Specs of applications in Eureka: `--backend eureka+http://registry:8761/eureka,app=CHAT,path=/ws,check=/health`."""

import re
from dataclasses import dataclass
from typing import Literal, cast

from ringway.errors import ConfigError
from ringway.protocol.address import read_url, shown
from ringway.protocol.backend import Backend
from ringway.sources.discovered import read_drain_within, read_template, split_own

PREFIX = "eureka+"
REGISTRY_PORTS = {"http": 80, "https": 443}

_APP = re.compile(r"[A-Za-z0-9._-]{1,200}")
_OWN = ("app", "scheme", "path", "address", "drain-within")


@dataclass(frozen=True, slots=True)
class EurekaApplication:
    """An application whose instances are backends."""

    source: str
    """Its name for operators."""
    url: str
    """The URL of the registry, as Eureka's clients are given it."""
    app: str
    scheme: Literal["", "ws", "wss"]
    """Empty: wss if only the secure port of an instance is enabled."""
    path: str
    by_ip: bool
    """True: instances are reached by their ipAddr, and not by their hostName."""
    drain_within_s: float
    template: Backend
    """The common fields of all instances."""


def is_eureka(spec: str) -> bool:
    """True if `spec` names an application in Eureka."""
    return spec.startswith(PREFIX)


def read_application(spec: str) -> EurekaApplication:
    """Return the application that `spec` names; raise `ConfigError` with every problem."""
    head, *options = spec.split(",")
    subject = f"backend {shown(head)!r}"
    url = head.removeprefix(PREFIX)
    read_url(url, REGISTRY_PORTS, "write eureka+http://host:port/eureka", "use --eureka-credentials-file")
    if "?" in url:
        raise ConfigError(f"{subject} has a query; give the URL that the registry's clients are given")
    own, rest = split_own(options, _OWN, subject)
    app, scheme, path = own.get("app", ""), own.get("scheme", ""), own.get("path", "")
    problems = []
    if not _APP.fullmatch(app):
        problems.append(
            f"app={app} of {subject} must be an application's name, as CHAT; letters, digits, '.', '_', '-'"
        )
    if scheme not in ("", "ws", "wss"):
        problems.append(f"scheme={scheme} of {subject} must be ws or wss")
    if path and not is_path(path):
        problems.append(f"path={path} of {subject} must be a path such as /ws")
    if own.get("address", "host") not in ("host", "ip"):
        problems.append(f"address={own['address']} of {subject} must be host or ip")
    if problems:
        raise ConfigError(*problems)
    return EurekaApplication(
        source=f"{head.rstrip('/')},app={app}",
        url=url.rstrip("/"),
        app=app,
        scheme=cast(Literal["", "ws", "wss"], scheme),
        path=path.rstrip("/"),
        by_ip=own.get("address") == "ip",
        drain_within_s=read_drain_within(own.get("drain-within", "0"), subject),
        template=read_template(f"ws://{app.lower().replace('_', '-')}", rest, subject, "their instance ids"),
    )


def is_path(text: str) -> bool:
    """True if `text` is a path, without query and fragment."""
    return text.startswith("/") and all(32 < ord(char) < 127 and char not in "?#" for char in text)
