"""The OpenAPI document of the admin API, made of its operations and the structs that they take and return."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from ringway.admin.operation import JSON, Operation, QueryParameter

OPENAPI = "3.1.0"

_PLACES = "#/components/schemas/{name}"

_REFUSED = {
    "description": HTTPStatus.BAD_REQUEST.description,
    "content": {
        JSON: {
            "schema": {
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
        }
    },
}


def describe_api(operations: Sequence[Operation], title: str, version: str) -> dict[str, Any]:
    """Return the OpenAPI document that says what `operations` take and return."""
    types = [operation.returns for operation in operations]
    types += [operation.body for operation in operations if operation.body is not None]
    types += [parameter.type for operation in operations for parameter in operation.parameters]
    schemas, components = msgspec.json.schema_components(types, ref_template=_PLACES)
    for schema in components.values():
        _name_types(schema)
    known = {repr(kind): schema for kind, schema in zip(types, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, known)
    return {
        "info": {"title": title, "version": version},
        "openapi": OPENAPI,
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": components},
    }


def _name_types(schema: dict[str, Any]) -> None:
    """Give enumerations, all of which are of texts, the type that generators of clients ask for."""
    if "enum" in schema:
        schema["type"] = "string"
    for field in schema.get("properties", {}).values():
        _name_types(field)


def _operation(operation: Operation, known: dict[str, dict[str, Any]]) -> dict[str, Any]:
    schema = {"type": "string"} if operation.returns is bytes else known[repr(operation.returns)]
    said: dict[str, Any] = {"summary": operation.summary, "operationId": _id_of(operation)}
    if operation.parameters:
        said["parameters"] = [_parameter(parameter, known) for parameter in operation.parameters]
    if operation.body is not None:
        said["requestBody"] = {"content": {JSON: {"schema": known[repr(operation.body)]}}, "required": True}
    answers: dict[str, Any] = {
        "200": {
            "description": HTTPStatus.OK.description,
            "headers": {},
            "content": {operation.media_type: {"schema": schema}},
        }
    }
    if operation.parameters or operation.body is not None:
        answers["400"] = _REFUSED
    return said | {"responses": answers, "deprecated": False}


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
    words = [*operation.path.split("/"), *operation.name.split("_")]
    return "".join(word[:1].upper() + word[1:] for word in words)
