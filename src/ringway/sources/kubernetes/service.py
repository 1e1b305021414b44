"""Specs of Kubernetes Services: `--backend kubernetes+ws://SERVICE.NAMESPACE:PORT/path,check=/healthz`.

The form is that of a URL to the Service, which manifests of clients already contain. `.NAMESPACE` may
be left out for the namespace that the gateway runs in, and `.svc.cluster.local` may follow it. PORT is the name of the
Service's port, or the number of the pods' own port; it may be left out if the Service has one port.
"""

import re
from dataclasses import dataclass

from ringway.errors import ConfigError
from ringway.protocol.address import BadAddress, read_port, shown
from ringway.protocol.backend import Backend
from ringway.sources.discovered import read_drain_within, read_template, split_own

PREFIX = "kubernetes+"

DRAIN_WITHIN_S = 25.0
"""Pods have 30 s for their end, unless their manifest says otherwise (terminationGracePeriodSeconds)."""

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"  # RFC 1123, as Kubernetes checks it
_HEAD = re.compile(
    rf"(?P<scheme>wss?)://(?P<service>{_LABEL})(\.(?P<namespace>{_LABEL})(\.svc(\.[a-z0-9.-]+)?)?)?"
    rf"(:(?P<port>[a-z0-9-]+))?(?P<path>/[^?#]*)?"
)
_PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?")  # RFC 6335


@dataclass(frozen=True, slots=True)
class KubernetesService:
    """A Service whose pods are backends."""

    source: str
    """Its name for operators: the spec without its options."""
    name: str
    namespace: str
    port: int | str
    """The number of the pods' port, or the name of the Service's port; empty: there is one."""
    scheme: str
    path: str
    drain_within_s: float
    template: Backend
    """The common fields of all pods."""


def is_kubernetes(spec: str) -> bool:
    """True if `spec` names a Service of Kubernetes."""
    return spec.startswith(PREFIX)


def read_service(spec: str, own_namespace: str = "") -> KubernetesService:
    """Return the Service that `spec` names; raise `ConfigError` with every problem.

    `own_namespace` is for specs without a namespace; empty: none is known.
    """
    head, *options = spec.split(",")
    subject = f"backend {shown(head)!r}"
    found = _HEAD.fullmatch(head.removeprefix(PREFIX))
    if found is None:
        raise ConfigError(
            f"{subject} cannot be read; write kubernetes+ws://SERVICE.NAMESPACE:PORT/path, the port by its name in the "
            "Service or by the pods' number"
        )
    namespace = found["namespace"] or own_namespace
    if not namespace:
        raise ConfigError(f"{subject} names no namespace, and this process runs in none; write SERVICE.NAMESPACE")
    scheme, path = found["scheme"], (found["path"] or "").rstrip("/")
    own, rest = split_own(options, ("drain-within",), subject)
    return KubernetesService(
        source=f"{PREFIX}{scheme}://{found['service']}.{namespace}" + (f":{found['port']}" if found["port"] else ""),
        name=found["service"],
        namespace=namespace,
        port=_read_port(found["port"] or "", subject),
        scheme=scheme,
        path=path,
        drain_within_s=read_drain_within(own["drain-within"], subject) if own else DRAIN_WITHIN_S,
        template=read_template(f"{scheme}://{found['service']}.{namespace}{path}", rest, subject, "their pods"),
    )


def _read_port(text: str, subject: str) -> int | str:
    if not text.isdigit():
        if text and not _PORT_NAME.fullmatch(text):
            raise ConfigError(f"the port {text!r} of {subject} is no name of a port; Services have names such as ws")
        return text
    try:
        return read_port(text)
    except BadAddress as error:
        raise ConfigError(f"{subject} cannot be read ({error})") from None
