"""The OpenAPI document says what it has always said, of every path, method, parameter, schema and status.

`openapi.json` is the document as clients were first generated from it. The document may say more: paths, descriptions,
defaults of maps and of null, `additionalProperties: false` where unknown fields are refused, the right that a token
must give. Three things are written otherwise, and mean the same: the order in `required` and `enum`; a single value as
`enum` or `const`; `anyOf` or `oneOf` of types. A body that had to be sent may be left out.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from unit.admin.test_control import Fake, app_of
from unit.api.ask import ask

FIRST = json.loads(Path(__file__).with_name("openapi.json").read_text())

MAY_BE_ADDED = {"description", "default", "additionalProperties", "security", "securitySchemes", "401", "403"}

MAY_GROW = {"/paths", "/components/schemas"}


def plain(value: Any) -> Any:
    """One way of writing for what can be written in two."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {name: plain(item) for name, item in value.items()}
    if "const" in found:
        found["enum"] = [found.pop("const")]
    if "oneOf" in found:
        found["anyOf"] = found.pop("oneOf")
    for name in ("required", "enum"):
        if isinstance(found.get(name), list):
            found[name] = sorted(found[name])
    return found


def differences(first: Any, now: Any, at: str = "") -> list[str]:
    """What `first` says and `now` does not, and what `now` adds that it may not."""
    if not (isinstance(first, dict) and isinstance(now, dict)):
        is_looser = at.endswith("/requestBody/required") and now is False
        return [] if first == now or is_looser else [f"{at}: {first} is now {now}"]
    found = [f"{at}/{name} is gone" for name in first.keys() - now.keys()]
    if at not in MAY_GROW:
        found += [f"{at}/{name} is new" for name in now.keys() - first.keys() - MAY_BE_ADDED]
    for name in first.keys() & now.keys():
        found += differences(first[name], now[name], f"{at}/{name}")
    return found


@pytest.mark.parametrize("path", ["/schema", "/schema/openapi.json"])
async def test_the_document_says_what_it_has_always_said(path: str) -> None:
    status, now = await ask(app_of(Fake()), "GET", path)
    assert status == 200
    assert differences(plain(FIRST), plain(now)) == []


async def test_a_node_describes_what_it_has() -> None:
    _, now = await ask(app_of(None), "GET", "/schema")
    assert set(now["paths"]) == {"/healthz", "/readyz", "/metrics", "/v1/nodes", "/v1/gateways", "/v1/members"}
    assert set(now["components"]["schemas"]) == {
        "Health",
        "NodeRow",
        "NodeState",
        "GatewayRow",
        "Cluster",
        "StrangerRow",
        "SealFault",
    }
    first = {**FIRST, "paths": {path: FIRST["paths"][path] for path in now["paths"]}}
    first["components"] = {
        "schemas": {name: FIRST["components"]["schemas"][name] for name in now["components"]["schemas"]}
    }
    assert differences(plain(first), plain(now)) == []


def test_a_difference_is_found() -> None:
    gone = json.loads(json.dumps(FIRST))
    del gone["paths"]["/v1/policy"]["put"]
    gone["paths"]["/v1/moves"]["get"]["parameters"][0]["schema"]["maximum"] = 999
    assert len(differences(plain(FIRST), plain(gone))) == 2
