"""Recorded answers of the Kubernetes API about EndpointSlices: the shapes that an API server sends, field by field."""

import json
from typing import Any

KIND = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice"}


def endpoint(
    pod: str,
    address: str,
    *,
    ready: bool | None = True,
    serving: bool | None = True,
    terminating: bool | None = False,
    zone: str | None = "eu-west-2a",
    uid: str = "",
) -> dict[str, Any]:
    """One endpoint, as the EndpointSlice controller writes it for a pod."""
    conditions = {"ready": ready, "serving": serving, "terminating": terminating}
    return {
        "addresses": [address],
        "conditions": {name: value for name, value in conditions.items() if value is not None},
        "nodeName": "worker-1",
        "targetRef": {"kind": "Pod", "name": pod, "namespace": "default", "uid": uid or f"uid-of-{pod}"},
        **({"zone": zone} if zone else {}),
    }


def stopping(pod: str, address: str, *, serving: bool = True, **rest: Any) -> dict[str, Any]:
    """A pod that is being deleted."""
    return endpoint(pod, address, ready=False, serving=serving, terminating=True, **rest)


def unready(pod: str, address: str, **rest: Any) -> dict[str, Any]:
    """A pod whose readiness probe fails."""
    return endpoint(pod, address, ready=False, serving=False, **rest)


def part(
    name: str,
    version: int,
    *endpoints: dict[str, Any],
    kind: str = "IPv4",
    ports: tuple[tuple[str, int], ...] = (("ws", 9000),),
) -> dict[str, Any]:
    """An EndpointSlice with its metadata, as of resource version `version`."""
    return {
        **KIND,
        "metadata": {
            "name": name,
            "generateName": "chat-",
            "namespace": "default",
            "uid": "0f6c7b0e-2a61-4b8e-9d2f-6b1f1c1f0a55",
            "resourceVersion": str(version),
            "generation": 3,
            "creationTimestamp": "2026-11-30T10:00:00Z",
            "labels": {
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
                "kubernetes.io/service-name": "chat",
            },
            "annotations": {"endpoints.kubernetes.io/last-change-trigger-time": "2026-11-30T10:00:00Z"},
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "Service", "name": "chat", "uid": "c3", "controller": True}
            ],
            "managedFields": [
                {"manager": "kube-controller-manager", "operation": "Update", "fieldsV1": {"f:endpoints": {}}}
            ],
        },
        "addressType": kind,
        "endpoints": list(endpoints) or None,
        "ports": [{"name": name, "port": port, "protocol": "TCP"} for name, port in ports],
    }


def listed(version: int, *parts: dict[str, Any], go_on: str = "") -> bytes:
    """A list of slices; `go_on` is the token of its next page."""
    metadata = {"resourceVersion": str(version), **({"continue": go_on} if go_on else {})}
    items = [{key: value for key, value in each.items() if key not in KIND} for each in parts]
    return json.dumps(
        {"kind": "EndpointSliceList", "apiVersion": KIND["apiVersion"], "metadata": metadata, "items": items}
    ).encode()


def event(kind: str, changed: dict[str, Any]) -> bytes:
    """A line of a watch: ADDED, MODIFIED or DELETED."""
    return json.dumps({"type": kind, "object": changed}).encode() + b"\n"


def bookmark(version: int) -> bytes:
    """A line that gives a newer version, and no change."""
    metadata = {"resourceVersion": str(version), "creationTimestamp": None}
    return event("BOOKMARK", {**KIND, "metadata": metadata, "endpoints": None, "ports": None, "addressType": ""})


def status(code: int, reason: str, message: str) -> dict[str, Any]:
    """The API's answer to a request that failed."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }


EXPIRED = status(410, "Expired", "too old resource version: 7 (1042)")
FORBIDDEN = status(
    403,
    "Forbidden",
    'endpointslices.discovery.k8s.io is forbidden: User "system:serviceaccount:default:gateway" cannot list resource '
    '"endpointslices" in API group "discovery.k8s.io" in the namespace "default"',
)
UNAUTHORIZED = status(401, "Unauthorized", "Unauthorized")
