"""The EndpointSlices of one Service, and the backends in them. Pure.

The objects are those of `discovery.k8s.io/v1`, reduced to the fields that are needed here. A Service may have many
slices: one for each IP family, and more if it has more than a hundred endpoints. An endpoint that goes from one slice
to another may be in both for a moment, so endpoints are told apart by their pods.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import msgspec

from ringway.protocol.address import show_host_port
from ringway.protocol.backend import Backend, problems_of
from ringway.protocol.name import legal_name
from ringway.sources.kubernetes.service import KubernetesService
from ringway.sources.sink import Offer
from ringway.types import NodeName


class ObjectMeta(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The name and version of an object, or the version of a list."""

    name: str = ""
    resource_version: str = ""
    continue_: str | None = msgspec.field(default=None, name="continue")


class TargetRef(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The object that an endpoint stands for: a pod, usually."""

    kind: str = ""
    name: str = ""
    uid: str = ""


class EndpointConditions(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The state of an endpoint. Unknown readiness counts as ready, as the API says."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class SliceEndpoint(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One pod, by its addresses; all addresses of an endpoint are the same for clients, so the first is used."""

    addresses: list[str] = []
    conditions: EndpointConditions | None = None
    target_ref: TargetRef | None = None
    zone: str | None = None


class SlicePort(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A port of the pods, under the name that it has in the Service."""

    name: str | None = None
    port: int | None = None
    protocol: str | None = None


class EndpointSlice(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A part of a Service's endpoints."""

    metadata: ObjectMeta
    address_type: str = "IPv4"
    endpoints: list[SliceEndpoint] | None = None
    ports: list[SlicePort] | None = None


@dataclass(frozen=True, slots=True)
class _Pod:
    """A pod as one slice has it."""

    backend: Backend
    terminating: bool
    serving: bool
    ready: bool
    order: tuple[bool, bool, bool, str]
    """The entry that comes first in this order is used if several slices have the pod."""


@dataclass(frozen=True, slots=True)
class Found:
    """The present content of the slices. `lost` are pods that were terminating, and are gone."""

    offers: Mapping[NodeName, Offer]
    lost: frozenset[NodeName]
    problems: tuple[str, ...]


class ServiceSlices:
    """The slices of `service`. `find` turns them into offers."""

    def __init__(self, service: KubernetesService) -> None:
        self._service = service
        self._slices: dict[str, EndpointSlice] = {}
        self._offers: Mapping[NodeName, Offer] = {}

    def replace_all(self, slices: Iterable[EndpointSlice]) -> None:
        """Replace all slices by those of a list."""
        self._slices = {each.metadata.name: each for each in slices}

    def put(self, changed: EndpointSlice) -> None:
        """Add a new slice, or replace a changed slice."""
        self._slices[changed.metadata.name] = changed

    def remove(self, name: str) -> None:
        """Forget a slice that was deleted."""
        self._slices.pop(name, None)

    def find(self) -> Found:
        """Return the present offers. If the slices cannot be right, the last offers stay, and a problem says why."""
        problems: list[str] = []
        pods: dict[NodeName, _Pod] = {}
        for pod in self._pods(problems):
            known = pods.get(pod.backend.name)
            if known is None or pod.order < known.order:
                pods[pod.backend.name] = pod
        unusable = self._why_unusable()
        if unusable:
            kept = "; the backends that were known before stay" if self._offers else ""
            return Found(self._offers, frozenset(), (unusable + kept,))
        offers = {name: offer for name, pod in pods.items() if (offer := self._offer(pod)) is not None}
        lost = frozenset(name for name, offer in self._offers.items() if offer.draining and name not in pods)
        self._offers = offers
        return Found(offers, lost, tuple(dict.fromkeys(problems)))

    def _why_unusable(self) -> str:
        """Return why no backend follows from the slices: there are no slices, or no slice has the wanted port; else
        empty."""
        service = self._service
        if not self._slices:
            return (
                f"the Service {service.name} in namespace {service.namespace} has no EndpointSlices: check its name, "
                "and whether it has a selector"
            )
        parts = [each for each in self._slices.values() if each.endpoints]
        if not parts or any(self._port_of(each) is not None for each in parts):
            return ""
        there = sorted({f"{each.name or '(no name)'}={each.port}" for part in parts for each in part.ports or ()})
        asked = f"no port {service.port}" if service.port else "not just one port"
        return (
            f"the pods of {service.name} have {asked}; there are {', '.join(there) or 'none'}: give one by its "
            "name, or by its number here"
        )

    def _offer(self, pod: _Pod) -> Offer | None:
        """Return the offer of a pod; None if it takes no traffic.

        A terminating pod that has stopped to serve keeps the deadline of its drain: it is still there.
        """
        if pod.terminating:
            before = self._offers.get(pod.backend.name)
            known = before is not None and before.backend.life == pod.backend.life
            if not pod.serving and not known:
                return None
            return Offer(pod.backend, draining=True, within_s=self._service.drain_within_s)
        return Offer(pod.backend) if pod.ready else None

    def _pods(self, problems: list[str]) -> Iterator[_Pod]:
        for each in self._slices.values():
            port = self._port_of(each)
            if port is None:
                continue
            for endpoint in each.endpoints or ():
                pod = self._pod(each, endpoint, port)
                wrong = problems_of(pod.backend) if pod else []
                problems.extend(wrong)
                if pod and not wrong:
                    yield pod

    def _pod(self, part: EndpointSlice, endpoint: SliceEndpoint, port: int) -> _Pod | None:
        if not endpoint.addresses:
            return None
        address = endpoint.addresses[0]
        reference = endpoint.target_ref or TargetRef(name=f"{self._service.name}-{address}")
        conditions = endpoint.conditions or EndpointConditions()
        ready = conditions.ready is not False
        template = self._service.template
        backend = msgspec.structs.replace(
            template,
            name=legal_name(reference.name),
            url=f"{self._service.scheme}://{show_host_port(address, port)}{self._service.path}",
            zone=legal_name(endpoint.zone) if endpoint.zone else template.zone,
            life=reference.uid,
        )
        before = self._offers.get(backend.name)
        moved = before is not None and before.backend.incarnation != backend.incarnation
        return _Pod(
            backend,
            terminating=bool(conditions.terminating),
            serving=ready if conditions.serving is None else conditions.serving,
            ready=ready,
            order=(moved, part.address_type != "IPv4", not ready, part.metadata.name),
        )

    def _port_of(self, part: EndpointSlice) -> int | None:
        """Return the port of the pods in one slice; None if the slice does not have the wanted port."""
        wanted = self._service.port
        ports = [each for each in part.ports or () if (each.protocol or "TCP") == "TCP"]
        if isinstance(wanted, int):
            return wanted if not ports or any(each.port in (wanted, None) for each in ports) else None
        named = [each for each in ports if not wanted or (each.name or "") == wanted]
        return named[0].port if len(named) == 1 else None
