"""The OpenAPI document of an API, made from its operations and their structs."""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from ringway.api.operation import JSON, Operation, QueryParameter

OPENAPI = "3.1.0"

_PLACES = "#/components/schemas/{name}"
_IN_BRACES = re.compile(r"\{(\w+)\}")

_SCHEMES = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token with the right that the operation names. Without tokens, on loopback, none is needed.",
    }
}

_REFUSAL = {
    "properties": {
        "status_code": {"type": "integer"},
        "detail": {"type": "string"},
        "extra": {"additionalProperties": {}, "type": ["null", "object", "array"]},
    },
    "type": "object",
    "required": ["detail", "status_code"],
    "description": "Validation Exception",
    "examples": [{"status_code": 400, "detail": "Bad Request", "extra": {}}],
}


def describe_api(
    operations: Sequence[Operation], title: str, version: str, refusal: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the OpenAPI document of `operations`. `refusal` is the schema of error answers."""
    types = [operation.returns for operation in operations]
    types += [operation.body for operation in operations if operation.body is not None]
    types += [parameter.type for operation in operations for parameter in operation.parameters]
    schemas, components = msgspec.json.schema_components(types, ref_template=_PLACES)
    for schema in components.values():
        _name_types(schema)
    known = {repr(kind): schema for kind, schema in zip(types, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, known, refusal)
    schemes = {"securitySchemes": _SCHEMES} if any(operation.right for operation in operations) else {}
    return {
        "info": {"title": title, "version": version},
        "openapi": OPENAPI,
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": components, **schemes},
    }


def _name_types(schema: dict[str, Any]) -> None:
    """Set the type of all enumerations to string, which client generators require."""
    if "enum" in schema:
        schema["type"] = "string"
    for field in schema.get("properties", {}).values():
        _name_types(field)


def _operation(
    operation: Operation, known: dict[str, dict[str, Any]], refusal: Mapping[str, Any] | None
) -> dict[str, Any]:
    schema = {"type": "string"} if operation.returns is bytes else known[repr(operation.returns)]
    said: dict[str, Any] = {"summary": operation.summary, "operationId": _id_of(operation)}
    parameters = [_path_parameter(name) for name in _IN_BRACES.findall(operation.path)]
    parameters += [_parameter(parameter, known) for parameter in operation.parameters]
    if parameters:
        said["parameters"] = parameters
    if operation.body is not None:
        said["requestBody"] = {
            "content": {JSON: {"schema": known[repr(operation.body)]}},
            "required": not operation.body_optional,
        }
    content = {"content": {operation.media_type: {"schema": schema}}} if operation.success != 204 else {}
    done = {"description": HTTPStatus(operation.success).description, "headers": {}, **content}
    answers: dict[str, Any] = {str(operation.success): done}
    if operation.parameters or operation.body is not None:
        answers["400"] = _refused(HTTPStatus.BAD_REQUEST.description, refusal)
    for status, meaning in operation.statuses:
        answers[str(status)] = done | {"description": meaning} if status < 300 else _refused(meaning, refusal)
    if operation.right:
        said["security"] = [{"token": [operation.right]}]
    return said | {"responses": answers, "deprecated": False}


def _refused(meaning: str, refusal: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"description": meaning, "content": {JSON: {"schema": refusal or _REFUSAL}}}


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "schema": {"type": "string"}, "required": True}


def _parameter(parameter: QueryParameter, known: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": "query",
        "schema": {**known[repr(parameter.type)], "default": parameter.default},
        "required": False,
        "deprecated": False,
        "allowEmptyValue": False,
        "allowReserved": False,
    }


def _id_of(operation: Operation) -> str:
    words = [*re.split(r"[/{}]", operation.path), *operation.name.split("_")]
    return "".join(word[:1].upper() + word[1:] for word in words)
