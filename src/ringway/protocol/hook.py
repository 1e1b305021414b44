"""Hooks: what a node asks a backend over HTTP when a client acts, and what the backend may answer (PROTOCOL.md P-14).

Field names are those of Centrifugo's event proxy, so that its backends can answer here. An answer has `result`, or
`error`, or `disconnect`; of several, `disconnect` counts before `error`, and that before `result`. An answer without
any of them allows the action, without more.

Stricter than there: numbers, texts and lists must have their types, codes must be in their ranges, and JSON in base64
must be JSON, since clients of this node speak JSON. Fields that are not known are skipped.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

import msgspec

from ringway.errors import ProtocolError
from ringway.protocol.claims import CHANNELS_MAX, TIME_MAX, USER_CHARS_MAX, ClaimedOptions
from ringway.protocol.close import BAD_REQUEST
from ringway.protocol.command import ABSENT, Raw
from ringway.protocol.decoding import reader
from ringway.protocol.json_base64 import read_json_base64
from ringway.protocol.json_line import json_line

ERROR_CHARS_MAX = 1024
"""The longest text of an error that is passed on; the rest is cut off."""

Time = Annotated[int, msgspec.Meta(ge=0, le=TIME_MAX)]
"""Unix seconds; 0: no end."""

ChannelName = Annotated[str, msgspec.Meta(min_length=1)]


SPEECH = {"transport": "websocket", "protocol": "json", "encoding": "json"}
"""How each client of a node speaks, in the fields of a request."""


class HookRequest(msgspec.Struct, omit_defaults=True, kw_only=True):
    """What every request says: the client, and how it speaks."""

    client: str
    transport: str
    protocol: str
    encoding: str


class ConnectHookRequest(HookRequest, omit_defaults=True, kw_only=True):
    """A client wants to connect. `channels` are those to which it wishes to be subscribed by the server."""

    data: Raw = ABSENT
    name: str = ""
    version: str = ""
    channels: list[str] = []


class RefreshHookRequest(HookRequest, omit_defaults=True, kw_only=True):
    """A connection has come to its end."""

    user: str
    meta: Raw = ABSENT


class SubscribeHookRequest(HookRequest, omit_defaults=True, kw_only=True):
    """A client wants to subscribe."""

    user: str
    channel: str
    meta: Raw = ABSENT
    data: Raw = ABSENT


class PublishHookRequest(HookRequest, omit_defaults=True, kw_only=True):
    """A client wants to publish."""

    user: str
    channel: str
    data: Raw
    meta: Raw = ABSENT


class SubRefreshHookRequest(HookRequest, omit_defaults=True, kw_only=True):
    """A subscription has come to its end."""

    user: str
    channel: str
    meta: Raw = ABSENT


class RpcHookRequest(HookRequest, omit_defaults=True, kw_only=True):
    """A client calls a method."""

    user: str
    method: str = ""
    data: Raw = ABSENT
    meta: Raw = ABSENT


# answers


class HookError(msgspec.Struct, frozen=True, kw_only=True):
    """The command is refused with this error."""

    code: Annotated[int, msgspec.Meta(ge=100, le=2**32 - 1)]
    message: str = ""
    temporary: bool = False


class HookDisconnect(msgspec.Struct, frozen=True, kw_only=True):
    """The client is closed; codes from 3500 and from 4500 on are final (PROTOCOL.md P-6)."""

    code: Annotated[int, msgspec.Meta(ge=3000, le=4999)]
    reason: str = ""


class _WithInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The fields that several results have."""

    expire_at: Time = 0
    info: Raw = ABSENT
    b64info: str = ""

    @property
    def shown_info(self) -> bytes:
        """JSON on one line that other clients see; empty: none."""
        return _json_of(self.info, self.b64info)

    @property
    def expires_at(self) -> float:
        """The end, in Unix seconds; infinite without one."""
        return self.expire_at or math.inf

    def check_encoded(self) -> None:
        """Raise `ProtocolError` if a field in base64 is not JSON inside."""
        _check_encoded(self.b64info, "b64info")


class HookSubscription(_WithInfo, frozen=True, kw_only=True):
    """A subscription that the backend makes or allows."""

    data: Raw = ABSENT
    b64data: str = ""
    override: ClaimedOptions | None = None

    @property
    def first_data(self) -> bytes:
        """JSON on one line for the client itself; empty: none."""
        return _json_of(self.data, self.b64data)

    def check_encoded(self) -> None:
        """Raise `ProtocolError` if a field in base64 is not JSON inside."""
        super().check_encoded()
        _check_encoded(self.b64data, "b64data")


class ConnectHookResult(HookSubscription, frozen=True, kw_only=True):
    """Who the client is, and the subscriptions that the server makes for it."""

    user: Annotated[str, msgspec.Meta(max_length=USER_CHARS_MAX)] = ""
    channels: Annotated[list[ChannelName], msgspec.Meta(max_length=CHANNELS_MAX)] | None = None
    subs: Annotated[dict[ChannelName, HookSubscription], msgspec.Meta(max_length=CHANNELS_MAX)] | None = None
    meta: Raw = ABSENT

    @property
    def hidden_meta(self) -> bytes:
        """JSON on one line that only hooks are told; empty: none."""
        return json_line(bytes(self.meta))

    def check_encoded(self) -> None:
        """Raise `ProtocolError` if a field in base64 is not JSON inside, or the user has a control character."""
        super().check_encoded()
        for subscription in (self.subs or {}).values():
            subscription.check_encoded()
        if any(char < " " or char == "\x7f" for char in self.user):
            raise ProtocolError(BAD_REQUEST, "the answer of a hook cannot be read: the user has a control character")


class RefreshHookResult(_WithInfo, frozen=True, kw_only=True):
    """How the connection goes on, or that it does not."""

    expired: bool = False
    meta: Raw = ABSENT

    @property
    def hidden_meta(self) -> bytes:
        """JSON on one line that only hooks are told; empty: none."""
        return json_line(bytes(self.meta))


class SubRefreshHookResult(_WithInfo, frozen=True, kw_only=True):
    """How the subscription goes on, or that it does not."""

    expired: bool = False


class PublishHookResult(msgspec.Struct, frozen=True, kw_only=True):
    """What is published in place of what the client sent."""

    data: Raw = ABSENT
    b64data: str = ""
    skip_history: bool = False
    tags: dict[str, str] | None = None
    idempotency_key: str = ""
    version: Annotated[int, msgspec.Meta(ge=0)] = 0
    version_epoch: str = ""

    @property
    def new_data(self) -> bytes:
        """JSON on one line; empty: what the client sent."""
        return _json_of(self.data, self.b64data)

    def check_encoded(self) -> None:
        """Raise `ProtocolError` if `b64data` is not JSON inside, or a field is not served."""
        _check_encoded(self.b64data, "b64data")
        if self.version or self.version_epoch:
            raise ProtocolError(BAD_REQUEST, "the answer of a hook has a version; publications have none here")


class RpcHookResult(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a call."""

    data: Raw = ABSENT
    b64data: str = ""

    @property
    def answer(self) -> bytes:
        """JSON on one line; empty: none."""
        return _json_of(self.data, self.b64data)

    def check_encoded(self) -> None:
        """Raise `ProtocolError` if `b64data` is not JSON inside."""
        _check_encoded(self.b64data, "b64data")


Result = TypeVar(
    "Result",
    ConnectHookResult,
    RefreshHookResult,
    HookSubscription,
    SubRefreshHookResult,
    PublishHookResult,
    RpcHookResult,
)


class HookAnswer(msgspec.Struct, Generic[Result], frozen=True, kw_only=True):
    """The answer of a backend."""

    result: Result | None = None
    error: HookError | None = None
    disconnect: HookDisconnect | None = None


@dataclass(frozen=True, slots=True)
class HookEvent(Generic[Result]):
    """A kind of request. `may_repeat`: it asks only, so that the backend may be sent it a second time."""

    name: str
    decoder: msgspec.json.Decoder[HookAnswer[Result]]
    may_repeat: bool

    def read_answer(self, raw: bytes) -> HookAnswer[Result]:
        """Return the answer in `raw`; raise `ProtocolError` if it cannot be read."""
        answer = reader(self.decoder.decode, "the answer of a hook")(raw)
        if answer.result is not None:
            answer.result.check_encoded()
        return answer


CONNECT = HookEvent("connect", msgspec.json.Decoder(HookAnswer[ConnectHookResult]), may_repeat=True)
REFRESH = HookEvent("refresh", msgspec.json.Decoder(HookAnswer[RefreshHookResult]), may_repeat=True)
SUBSCRIBE = HookEvent("subscribe", msgspec.json.Decoder(HookAnswer[HookSubscription]), may_repeat=True)
SUB_REFRESH = HookEvent("sub_refresh", msgspec.json.Decoder(HookAnswer[SubRefreshHookResult]), may_repeat=True)
PUBLISH = HookEvent("publish", msgspec.json.Decoder(HookAnswer[PublishHookResult]), may_repeat=False)
RPC = HookEvent("rpc", msgspec.json.Decoder(HookAnswer[RpcHookResult]), may_repeat=False)

EVENT_HEADER = "Ringway-Event"
"""The header with the name of the event: the bodies of two events can be alike."""

EVENTS = tuple(event.name for event in (CONNECT, REFRESH, SUBSCRIBE, SUB_REFRESH, PUBLISH, RPC))
"""The names of all kinds of requests."""

_encoder = msgspec.json.Encoder()


def encode_request(request: HookRequest) -> bytes:
    """Return the body of a request."""
    return _encoder.encode(request)


def _json_of(raw: Raw, encoded: str) -> bytes:
    return json_line(read_json_base64(encoded) if encoded else bytes(raw))


def _check_encoded(text: str, name: str) -> None:
    if text:
        try:
            read_json_base64(text)
        except ValueError as error:
            raise ProtocolError(BAD_REQUEST, f"the answer of a hook cannot be read: {name} {error}") from None
