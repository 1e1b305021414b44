"""Recorded answers of a Eureka registry (Spring Cloud Netflix 4.3) about one application, in JSON."""

import json
from typing import Any


def instance(number: int, status: str = "UP", *, host: str = "127.0.0.1", **changes: Any) -> dict[str, Any]:
    """One instance, as the registry tells it; `changes` replace its fields."""
    return {
        "instanceId": f"{host}:chat:{number}",
        "hostName": host,
        "app": "CHAT",
        "ipAddr": "127.0.0.1",
        "status": status,
        "overriddenStatus": status if status == "OUT_OF_SERVICE" else "UNKNOWN",
        "port": {"$": number, "@enabled": "true"},
        "securePort": {"$": 443, "@enabled": "false"},
        "countryId": 1,
        "dataCenterInfo": {"@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", "name": "MyOwn"},
        "leaseInfo": {
            "renewalIntervalInSecs": 30,
            "durationInSecs": 90,
            "registrationTimestamp": 1796070572644,
            "lastRenewalTimestamp": 1796070572644,
            "evictionTimestamp": 0,
            "serviceUpTimestamp": 1796070571221,
        },
        "metadata": {"management.port": str(number)},
        "vipAddress": "chat",
        "isCoordinatingDiscoveryServer": "false",
        "lastUpdatedTimestamp": "1796070572644",
        "lastDirtyTimestamp": "1796070570959",
        "actionType": "ADDED",
        **changes,
    }


def application(*instances: dict[str, Any]) -> bytes:
    """The answer to `GET /eureka/apps/CHAT`."""
    return json.dumps({"application": {"name": "CHAT", "instance": list(instances)}}).encode()


UNKNOWN_APPLICATION = {"timestamp": "2026-11-30T20:29:22.269+00:00", "status": 404, "error": "Not Found", "path": "/"}
"""The answer, with 404, if no instance is registered."""
