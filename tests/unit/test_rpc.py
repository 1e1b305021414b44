"""Calls of clients: what a call says, and the namespaces of methods."""

import pytest

from ringway.rpc import RpcCall, namespace_of_method


@pytest.mark.parametrize(
    ("method", "namespace"), [("rename", ""), ("chat:rename", "chat"), ("chat:a:b", "chat"), (":a", ""), ("", "")]
)
def test_the_namespace_of_a_method_is_before_its_first_colon(method: str, namespace: str) -> None:
    assert namespace_of_method(method) == namespace


def test_a_call_has_its_parts_decoded() -> None:
    call = RpcCall("m", "carol", "id", b'{"a":1}', b'"info"', b"[2]")
    assert (call.data, call.info, call.meta) == ({"a": 1}, "info", [2])


def test_a_call_that_was_made_at_no_node_has_no_server() -> None:
    with pytest.raises(RuntimeError, match="not made at a node"):
        _ = RpcCall("m", "", "id").server


def test_parts_that_are_missing_are_none() -> None:
    call = RpcCall("m", "", "id")
    assert (call.data, call.info, call.meta) == (None, None, None)
