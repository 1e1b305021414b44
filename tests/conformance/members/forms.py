"""Forms of the messages between members: how today's code reads and writes the body of each."""

from collections.abc import Callable
from typing import Any, NamedTuple, get_type_hints

import msgspec

from ringway.core.session import decode_session, encode_session
from ringway.protocol import control, expected, handover, order, presence, survey, taken, user_order
from ringway.protocol.beat import ReportBeat, decode_beat, encode_beat
from ringway.protocol.report import decode_introduction, encode_introduction


class Form(NamedTuple):
    """One kind of body. `codec` (`json`, `msgpack`) reads it without knowledge of its fields; None for plain bytes."""

    decode: Callable[[bytes], Any]
    encode: Callable[[Any], bytes]
    codec: Any = None


BeatFields = msgspec.defstruct(
    "BeatFields",
    [("b", int)]
    + [
        (key, int, 0) if said is int else (key, said | msgspec.UnsetType, msgspec.UNSET)
        for key, said in get_type_hints(ReportBeat).items()
        if key != "b"
    ],
    omit_defaults=True,
)
"""A beat with all its fields: a difference that it does not say is 0, a value that it does not say is unset."""


def read_beat(body: bytes) -> Any:
    """Return the beat in `body` with all its fields, read by today's code."""
    return msgspec.convert(decode_beat(body), BeatFields)


def _same(body: bytes) -> bytes:
    return body


FORMS = {
    "introduction": Form(decode_introduction, encode_introduction, msgspec.msgpack),
    "beat": Form(read_beat, encode_beat, msgspec.msgpack),
    "notice": Form(taken.decode_notice, taken.encode_notice, msgspec.msgpack),
    "node request": Form(order.decode_node_request, order.encode, msgspec.json),
    "node answer": Form(order.decode_node_answer, order.encode, msgspec.json),
    "balancer request": Form(order.decode_balancer_request, order.encode, msgspec.json),
    "drain answer": Form(order.decode_drain_answer, order.encode, msgspec.json),
    "owners answer": Form(order.decode_owners_answer, order.encode, msgspec.json),
    "plan answer": Form(order.decode_plan_answer, order.encode, msgspec.json),
    "gateway request": Form(control.decode_gateway_request, control.encode, msgspec.json),
    "gateway answer": Form(control.decode_gateway_answer, control.encode, msgspec.json),
    "expect message": Form(expected.decode_expect, expected.encode_expect, msgspec.json),
    "session request": Form(handover.decode_request, handover.encode, msgspec.msgpack),
    "session answer": Form(handover.decode_answer, handover.encode, msgspec.msgpack),
    "session": Form(decode_session, encode_session, msgspec.msgpack),
    "user order": Form(user_order.decode_request, user_order.encode, msgspec.json),
    "user order's answer": Form(user_order.decode_answer, user_order.encode, msgspec.json),
    "survey question": Form(survey.decode_question, survey.encode, msgspec.json),
    "survey answer": Form(survey.decode_answer, survey.encode, msgspec.json),
    "presence question": Form(presence.decode_question, presence.encode, msgspec.json),
    "presence answer": Form(presence.decode_answer, presence.encode, msgspec.json),
    "bytes": Form(_same, _same),
}
"""The forms by the names that the recorded files use."""
