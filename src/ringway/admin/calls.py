"""Calls and reports for commands that reach the cluster by an admin port: what they would do over the engine.

A gateway without an engine can be reached in no other way. Only requests of operators are passed on, so that nobody can
do more here than by the other operations of the port.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from ringway.api.guard import guard_changes
from ringway.api.operation import ApiRefusal, Operation
from ringway.errors import ConfigError, EngineError, NoAnswer, ProtocolError
from ringway.ports import Calls
from ringway.protocol.admin_call import AdminAnswers, AdminCall
from ringway.protocol.control import GATEWAYS, decode_gateway_request
from ringway.protocol.order import (
    BALANCER,
    DrainRequest,
    Rebalance,
    SetState,
    decode_balancer_request,
    decode_node_request,
)
from ringway.protocol.report import Report
from ringway.protocol.revocation import REVOCATIONS, Revoke
from ringway.protocol.revocation import decode_request as decode_revocation


@dataclass(frozen=True, slots=True)
class OperatorWays:
    """The ways of operators through one gateway: its calls, and the reports of the members that it hears."""

    calls: Calls
    reports: Callable[[], Iterable[Report]]


def call_operations(ways: OperatorWays) -> Sequence[Operation]:
    """Return the operations by which commands reach the cluster."""

    async def call(data: AdminCall) -> AdminAnswers:
        request = msgspec.json.encode(data.request)
        _check(data.address, request)
        try:
            if data.expected is None:
                raw = [await ways.calls.call(data.address, request, timeout_s=data.timeout_s)]
            else:
                raw = await ways.calls.gather(data.address, request, timeout_s=data.timeout_s, expected=data.expected)
        except NoAnswer as error:
            raise ApiRefusal(504, str(error)) from None
        except EngineError as error:
            raise ApiRefusal(503, str(error)) from None
        return AdminAnswers(answers=tuple(msgspec.Raw(each) for each in raw))

    return [
        Operation(
            "GET",
            "/v1/reports",
            "reports",
            "The last report of each member, for commands: `ringway nodes --admin URL`",
            lambda: list(ways.reports()),
            list[Any],
        ),
        Operation(
            "POST",
            "/v1/calls",
            "call",
            "Pass a request of an operator on to members, for commands: `ringway drain NODE --admin URL`",
            call,
            AdminAnswers,
            body=AdminCall,
            statuses=((503, "The engine is away"), (504, "Nobody has answered")),
            guards=(guard_changes,),
        ),
    ]


def _check(address: str, request: bytes) -> None:
    """Raise `ConfigError` for a request that is not an operator's."""
    try:
        if address == BALANCER:
            allowed = isinstance(decode_balancer_request(request), Rebalance | DrainRequest)
        elif address == GATEWAYS or address.startswith("gateway."):
            allowed = bool(decode_gateway_request(request))
        elif address.startswith("node."):
            allowed = isinstance(decode_node_request(request), SetState)
        elif address == REVOCATIONS:
            allowed = isinstance(decode_revocation(request), Revoke)
        else:
            allowed = False
    except ProtocolError as error:
        raise ConfigError(f"the request to {address!r} is not understood: {error}") from None
    if not allowed:
        raise ConfigError(
            f"the request to {address!r} is none of an operator; operators ask balancer (rebalance, drain), gateways "
            "and gateway.NAME (all requests), node.NAME (state) and revocations (revoke)"
        )
