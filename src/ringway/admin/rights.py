"""Rights at the admin port: each operation asks for one, and each token gives one.

This table is the one place that says which. An operation that is not in it cannot be served.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum

import msgspec

from ringway.api.operation import ApiRequest
from ringway.errors import ProtocolError
from ringway.protocol.admin_call import AdminCall
from ringway.protocol.control import GATEWAYS, SetDirective, decode_gateway_request


class Right(StrEnum):
    """What an operation asks for. `OPERATE` includes `READ`."""

    NONE = "none"  # probes, and the description of the API: they need no token
    READ = "read"  # it changes nothing
    OPERATE = "operate"


RIGHTS: Mapping[tuple[str, str], Right] = {
    ("GET", "/healthz"): Right.NONE,
    ("GET", "/readyz"): Right.NONE,
    ("GET", "/schema"): Right.NONE,
    ("GET", "/schema/openapi.json"): Right.NONE,
    ("GET", "/metrics"): Right.READ,
    ("GET", "/v1/members"): Right.READ,
    ("GET", "/v1/nodes"): Right.READ,
    ("GET", "/v1/gateways"): Right.READ,
    ("GET", "/v1/reports"): Right.READ,
    ("GET", "/v1/explain"): Right.READ,
    ("GET", "/v1/moves"): Right.READ,
    ("GET", "/v1/policy"): Right.READ,
    ("PUT", "/v1/policy"): Right.OPERATE,
    ("DELETE", "/v1/policy"): Right.OPERATE,
    ("POST", "/v1/freeze"): Right.OPERATE,
    ("DELETE", "/v1/freeze"): Right.OPERATE,
    ("POST", "/v1/nodes/{name}/drain"): Right.OPERATE,
    ("DELETE", "/v1/nodes/{name}/drain"): Right.OPERATE,
    ("POST", "/v1/rebalance"): Right.OPERATE,
    ("POST", "/v1/calls"): Right.OPERATE,
}
"""The right that each operation asks for, by method and path."""


def right_of_call(request: ApiRequest) -> Right:
    """Return the right for a call that is passed on: `READ` if it is a question to gateways, `OPERATE` for all else.

    A body that cannot be read asks for the greater right.
    """
    try:
        call = msgspec.convert(msgspec.json.decode(request.body), AdminCall, strict=False)
        if call.address == GATEWAYS or call.address.startswith("gateway."):
            asked = decode_gateway_request(msgspec.json.encode(call.request))
            return Right.OPERATE if isinstance(asked, SetDirective) else Right.READ
    except (ValueError, RecursionError, ProtocolError):
        return Right.OPERATE
    return Right.OPERATE


BY_REQUEST: Mapping[tuple[str, str], Callable[[ApiRequest], Right]] = {("POST", "/v1/calls"): right_of_call}
"""Operations of which some requests ask for less than the table says."""
