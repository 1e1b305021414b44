"""Calls to members through a gateway's admin port, for commands that cannot reach the engine: request and answers."""

from typing import Annotated, Any

import msgspec

from ringway.protocol.decoding import reader

TIMEOUT_S_MAX = 30.0


class AdminCall(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One call over the bus, made by the gateway. Only what operators may ask for is passed on."""

    address: Annotated[
        str, msgspec.Meta(description="`balancer`, `gateways`, `gateway.NAME` or `node.NAME`", max_length=300)
    ]
    request: Annotated[dict[str, Any], msgspec.Meta(description="The request, as PROTOCOL.md P-9 has it")]
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=TIMEOUT_S_MAX, description="The time for answers")] = 5.0
    expected: Annotated[
        int | None,
        msgspec.Meta(description="Gather the answers of all members at the address, until there are so many; 0: all"),
    ] = None


class AdminAnswers(msgspec.Struct, frozen=True, kw_only=True):
    """The answers; one for a call that does not gather."""

    answers: tuple[msgspec.Raw, ...]


class AdminRefusal(msgspec.Struct, frozen=True, kw_only=True):
    """The body of an answer other than 200."""

    status_code: int = 0
    detail: str = ""


encode = msgspec.json.Encoder().encode
decode_answers = reader(msgspec.json.Decoder(AdminAnswers).decode, "the answer of an admin port")
decode_refusal = reader(msgspec.json.Decoder(AdminRefusal).decode, "the answer of an admin port")
