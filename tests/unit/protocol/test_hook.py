"""Bodies of hooks: what is sent, and what is read from a backend."""

import base64
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringway.errors import ProtocolError
from ringway.protocol.command import Raw
from ringway.protocol.hook import (
    CONNECT,
    PUBLISH,
    REFRESH,
    RPC,
    SUB_REFRESH,
    SUBSCRIBE,
    ConnectHookRequest,
    ConnectHookResult,
    HookEvent,
    RpcHookRequest,
    encode_request,
)

EVENTS = (CONNECT, REFRESH, SUBSCRIBE, SUB_REFRESH, PUBLISH, RPC)
SPEECH = {"client": "c1", "transport": "websocket", "protocol": "json", "encoding": "json"}


def read(event: HookEvent[Any], **answer: Any) -> Any:
    return event.read_answer(json.dumps(answer).encode())


def encoded(value: Any) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


def test_a_request_has_what_is_known_and_nothing_else() -> None:
    assert json.loads(encode_request(ConnectHookRequest(**SPEECH))) == SPEECH
    full = ConnectHookRequest(**SPEECH, data=Raw(b'{"a":1}'), name="js", version="5", channels=["news"])
    assert json.loads(encode_request(full)) == {
        **SPEECH, "data": {"a": 1}, "name": "js", "version": "5", "channels": ["news"],
    }  # fmt: skip
    assert json.loads(encode_request(RpcHookRequest(**SPEECH, user="", method="x")))["user"] == ""


def test_a_connect_result_says_who_the_client_is() -> None:
    result = read(
        CONNECT,
        result={
            "user": "carol",
            "expire_at": 2_000_000_000,
            "info": {"name": "Carol"},
            "b64data": encoded([1, 2]),
            "channels": ["news"],
            "subs": {"chat": {"b64info": encoded({"role": "mod"}), "data": 7}},
            "meta": {"plan": "x"},
            "caps": [{"channels": ["a"]}],
            "later": 1,
        },
    ).result
    assert isinstance(result, ConnectHookResult)
    assert (result.user, result.expires_at) == ("carol", 2_000_000_000)
    assert (result.shown_info, result.first_data, result.hidden_meta) == (
        b'{"name":"Carol"}',
        b"[1,2]",
        b'{"plan":"x"}',
    )
    assert result.channels == ["news"]
    assert result.subs is not None
    assert (result.subs["chat"].shown_info, result.subs["chat"].first_data) == (b'{"role":"mod"}', b"7")


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
def test_every_answer_may_be_empty_or_refuse(event: HookEvent[Any]) -> None:
    assert read(event).result is None
    assert read(event, result=None, error=None, disconnect=None).result is None
    assert read(event, result={}).result is not None
    assert read(event, error={"code": 1000, "message": "no"}).error.code == 1000
    assert read(event, disconnect={"code": 4500, "reason": "banned"}).disconnect.reason == "banned"


@pytest.mark.parametrize("value", [0, None], ids=["zero", "absent"])
def test_no_end_is_no_end(value: int | None) -> None:
    result = {} if value is None else {"expire_at": value}
    assert read(SUBSCRIBE, result=result).result.expires_at == math.inf


def test_a_publication_may_be_replaced() -> None:
    result = read(PUBLISH, result={"data": {"n": 1}, "skip_history": True, "tags": {"a": "b"}}).result
    assert (result.new_data, result.skip_history, result.tags) == (b'{"n":1}', True, {"a": "b"})
    assert read(PUBLISH, result={}).result.new_data == b""
    assert read(PUBLISH, result={"data": None}).result.new_data == b""


@pytest.mark.parametrize(
    ("event", "answer"),
    [
        (CONNECT, {"result": {"user": 7}}),
        (CONNECT, {"result": {"user": None}}),
        (CONNECT, {"result": {"user": "a\nb"}}),
        (CONNECT, {"result": {"user": "x" * 257}}),
        (CONNECT, {"result": {"expire_at": "soon"}}),
        (CONNECT, {"result": {"expire_at": -1}}),
        (CONNECT, {"result": {"expire_at": 1.5}}),
        (CONNECT, {"result": {"expire_at": 1_700_000_000_000}}),
        (CONNECT, {"result": {"channels": "news"}}),
        (CONNECT, {"result": {"channels": [""]}}),
        (CONNECT, {"result": {"channels": ["c"] * 1001}}),
        (CONNECT, {"result": {"subs": ["news"]}}),
        (CONNECT, {"result": {"subs": {"news": {"b64info": "%%"}}}}),
        (CONNECT, {"result": {"b64info": encoded({})[:-2] + "!"}}),
        (CONNECT, {"result": {"b64data": base64.b64encode(b"\xff\x00").decode()}}),
        (CONNECT, {"result": []}),
        (CONNECT, {"error": {"code": 99}}),
        (CONNECT, {"error": {"message": "no code"}}),
        (CONNECT, {"disconnect": {"code": 1000}}),
        (CONNECT, {"disconnect": {"code": 5000}}),
        (PUBLISH, {"result": {"skip_history": "yes"}}),
        (PUBLISH, {"result": {"tags": {"a": 1}}}),
        (PUBLISH, {"result": {"version": 3}}),
        (REFRESH, {"result": {"expired": 1}}),
    ],
    ids=lambda value: value.name if isinstance(value, HookEvent) else json.dumps(value)[:40],
)
def test_what_has_another_form_is_refused(event: HookEvent[Any], answer: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError, match="the answer of a hook"):
        read(event, **answer)


@pytest.mark.parametrize("raw", [b"", b"null", b"[]", b"{", b"<html>", b'{"result":{}}x', b"\xff", b"[" * 5000])
def test_what_is_no_object_of_json_is_refused(raw: bytes) -> None:
    with pytest.raises(ProtocolError):
        CONNECT.read_answer(raw)


@given(st.binary(max_size=200), st.sampled_from(EVENTS))
def test_no_bytes_raise_any_other_error(raw: bytes, event: HookEvent[Any]) -> None:
    try:
        event.read_answer(raw)
    except ProtocolError:
        return


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("user", "expire_at", "info", "b64info", "data", "b64data", "channels", "subs", "meta", "expired", "tags")


@given(st.dictionaries(st.sampled_from(FIELDS), json_values), st.sampled_from(EVENTS))
def test_a_result_that_is_read_has_json_on_one_line(result: dict[str, Any], event: HookEvent[Any]) -> None:
    try:
        found = read(event, result=result).result
    except ProtocolError:
        return
    for name in ("shown_info", "first_data", "hidden_meta", "new_data", "answer"):
        value = getattr(found, name, b"")
        assert b"\n" not in value
        assert not value or json.loads(value) is not None
