"""Instances in a registry's answers, and the backends that they are."""

import json
from typing import Any

import msgspec
import pytest

from ringway.protocol.backend import Backend
from ringway.sources.eureka.application import read_application
from ringway.sources.eureka.instance import backend_of, read_instances
from support.eureka_traffic import application, instance

SPEC = "eureka+http://registry:8761/eureka,app=CHAT"


def read(raw: dict[str, Any], options: str = "") -> tuple[Backend | None, list[str]]:
    (found,) = read_instances(application(raw))
    return backend_of(found, read_application(SPEC + options))


def backend(raw: dict[str, Any], options: str = "") -> Backend:
    found, problems = read(raw, options)
    assert found
    assert not problems
    return found


def test_an_instance_is_a_backend_named_after_its_id() -> None:
    found = backend(instance(9001, host="web-1"), ",path=/ws")
    assert (found.name, found.url, found.weight, found.zone, found.life) == (
        "web-1-chat-9001", "ws://web-1:9001/ws", 1, "", "",
    )  # fmt: skip


def test_its_address_is_its_host_name_or_its_ip_address() -> None:
    assert backend(instance(9001, host="web-1"), ",address=ip").url == "ws://127.0.0.1:9001"
    assert backend(instance(9001, hostName="")).url == "ws://127.0.0.1:9001"


def test_the_secure_port_is_used_where_it_is_the_only_one_or_asked_for() -> None:
    secure = {"securePort": {"$": 8443, "@enabled": "true"}}
    only = secure | {"port": {"$": 80, "@enabled": "false"}}
    assert backend(instance(9001, host="web-1", **only)).url == "wss://web-1:8443"
    assert backend(instance(9001, host="web-1", **secure)).url == "ws://web-1:9001"
    assert backend(instance(9001, host="web-1", **secure), ",scheme=wss").url == "wss://web-1:8443"


def test_metadata_gives_weight_zone_path_and_life() -> None:
    said = {"ringway.weight": "2.5", "ringway.zone": "a", "zone": "b", "ringway.path": "/chat/", "ringway.life": "7"}
    found = backend(instance(9001, metadata=said), ",path=/ws,weight=3")
    assert (found.weight, found.zone, found.url, found.life) == (2.5, "a", "ws://127.0.0.1:9001/chat", "7")
    assert backend(instance(9001, metadata={"zone": "b"})).zone == "b"
    assert backend(instance(9001, metadata=None), ",weight=3,zone=c").weight == 3


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"metadata": {"ringway.weight": "much"}}, "ringway.weight 'much' must be 0 \\(no newcomers\\)"),
        ({"metadata": {"ringway.weight": "-1"}}, "the weight '-1' must be 0 \\(no newcomers\\)"),
        ({"metadata": {"ringway.path": "ws?x"}}, "ringway.path 'ws[?]x' must be a path such as /ws"),
        ({"hostName": "a b"}, "holds blanks"),
        ({"port": {"$": 0, "@enabled": "true"}}, "the port '0'"),
    ],
)
def test_an_instance_that_cannot_be_used_is_a_problem_with_its_id(changes: dict[str, Any], says: str) -> None:
    found, problems = read(instance(9001, **changes))
    assert found is None
    with pytest.raises(AssertionError, match=says):
        raise AssertionError(*problems)
    assert problems[0].startswith("the instance 127.0.0.1:chat:9001 of CHAT cannot be used: ")


def test_older_registries_write_values_in_other_forms() -> None:
    old = instance(9001, port={"$": "9001", "@enabled": True})
    del old["instanceId"]
    (found,) = read_instances(json.dumps({"application": {"name": "CHAT", "instance": old}}).encode())
    assert found.id == "127.0.0.1"
    made, problems = backend_of(found, read_application(SPEC))
    assert made
    assert made.url == "ws://127.0.0.1:9001"
    assert not problems


@pytest.mark.parametrize("body", [b"", b"<application/>", b"{}", b'{"application": {"instance": [7]}}'])
def test_what_is_no_answer_of_a_registry_is_refused(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        read_instances(body)
