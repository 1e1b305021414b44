"""OpenAPI document of an API port, among its own operations; it is made when it is first asked for."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from ringway.api.operation import OPENAPI_JSON, Operation


def show_document(
    operations: Sequence[Operation], title: str, version: str, *paths: str, refusal: Mapping[str, Any] | None = None
) -> list[Operation]:
    """Return the operations that show the document of `operations` at `paths`. `refusal` describes error answers."""

    @functools.cache
    def schema() -> dict[str, Any]:
        from ringway.api.openapi import describe_api

        return describe_api(operations, title, version, refusal)

    return [Operation("GET", path, "schema", "This document", schema, dict, media_type=OPENAPI_JSON) for path in paths]
