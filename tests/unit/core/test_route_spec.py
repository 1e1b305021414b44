"""Specs of routes: what each option means, and every problem named with the value, the rule and the remedy."""

import pytest

from ringway.core.route import GroupRoute, RouteTable
from ringway.core.route_spec import check_has_keys, read_route, read_routes, setting_of_group, short_route
from ringway.errors import ConfigError
from ringway.protocol.backend import Backend, OnMove
from ringway.types import NodeName


def problems_of(*specs: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read_routes(specs)
    return "; ".join(caught.value.problems)


def test_a_route_says_where_it_leads_and_what_happens_there() -> None:
    spec = (
        "path=/chat host=*.Example.com group=chat policy=ring:key=path,c=1.2 on-move=close close-code=4000 "
        "restart-codes=1001+1011 check=/healthz check-host=chat.test auth=jwt auth-end=close http=true sticky=mcp"
    )
    assert read_route(spec) == GroupRoute(
        path="/chat", host="*.example.com", group="chat", policy="ring:key=path,c=1.2", on_move=OnMove.CLOSE,
        close_code=4000, restart_codes=(1001, 1011), check="/healthz", check_host="chat.test", auth="jwt",
        auth_end="close", http=True, sticky="mcp",
    )  # fmt: skip
    assert read_route("host=*") == GroupRoute()


def test_a_table_has_the_same_meaning_as_its_short_form() -> None:
    table = {
        "path": "/chat", "group": "chat", "policy": {"name": "ring", "key": "path"}, "on_move": "close",
        "close_code": 4000, "restart_codes": [1001, 1011], "http": True,
    }  # fmt: skip
    assert short_route(table) == (
        "path=/chat group=chat policy=ring:key=path on-move=close close-code=4000 restart-codes=1001+1011 http=true"
    )


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"paht": "/"}, "has no setting 'paht'; there are path, host, group"),
        ({"path": "/a b"}, "give a text without blanks and semicolons"),
        ({"path": ""}, "give a text without blanks"),
    ],
)
def test_a_table_with_a_wrong_key_or_value_is_refused(table: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        short_route(table)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("paht=/", "the option 'paht=/' of route 'paht=/' is unknown; there are path=, host="),
        ("/chat", "is unknown"),
        ("path=/a path=/b", "the option path of route 'path=/a path=/b' is given twice"),
        ("path=chat", "must begin with /"),
        ("path=/a?b", "no blanks, no ?, no #"),
        ("path=//a", "no // (an empty segment)"),
        ("path=/a//b", "no // (an empty segment)"),
        ("host=a/b", "is no name of a host"),
        ("host=.", "is no name of a host"),
        ("host=a.b:80", "write it without scheme, port and path"),
        ("group=a!b", "the name 'a!b' is not usable"),
        ("group=", "group= of route 'group=' is empty"),
        ("policy=ring:a", "write it as name:option=value"),
        ("on-move=perhaps", "must be auto, close, reopen or never"),
        ("on-move=follow", "must be auto, close, reopen or never"),
        ("close-code=1006", "must be one of 1000"),
        ("close-code=1012+1013", "must be one of 1000"),
        ("restart-codes=x", "must be one of 1000"),
        ("sticky=mcp", "is for plain HTTP; add http=true"),
        ("http=true sticky=x", "must be cookie, socketio, sockjs, signalr or mcp"),
        ("http=yes", "http=yes of route 'http=yes' must be true or false"),
        ("group=channels http=true", "speak nothing but WebSockets"),
        ("check=healthz", "must be a path such as /healthz"),
        ("check=/a?b#c", "the check '/a?b#c' of route 'check=/a?b#c' must be a path"),
        ("check=/ü", "must be a path such as /healthz"),
        ("check-host=foo/bar", "the check host 'foo/bar' of route 'check-host=foo/bar' must be a host"),
        ("auth-end=close", "must be close or keep, beside auth=jwt"),
        ("auth=jwt auth-end=now", "auth-end=now of route 'auth=jwt auth-end=now' must be close or keep"),
        ("group=channels auth=jwt auth-end=close", "auth-end of route 'group=channels auth=jwt auth-end=close' has no"),
        ("auth=basic", "auth=basic of route 'auth=basic' must be jwt; leave it out"),
        ("group=channels on-move=close check=/x", "on-move, check of route"),
    ],
)
def test_a_wrong_route_is_refused_with_the_rule(spec: str, said: str) -> None:
    assert said in problems_of(spec)


def test_all_problems_are_told_at_once() -> None:
    told = problems_of("path=chat", "host=a/b")
    assert "must begin with /" in told
    assert "is no name of a host" in told


def test_a_route_that_asks_for_tokens_needs_a_key() -> None:
    routes = read_routes(["path=/a", "path=/b auth=jwt"])
    check_has_keys(routes, has_keys=True)
    check_has_keys(routes[:1], has_keys=False)
    with pytest.raises(ConfigError, match=r"the route \*/b asks for a token .* token.hmac_secret_key_file"):
        check_has_keys(routes, has_keys=False)


@pytest.mark.parametrize("other", ["path=/chat/", "path=/chat host=*"])
def test_two_routes_for_the_same_requests_are_refused(other: str) -> None:
    assert "two routes are for host any and path /chat" in problems_of("path=/chat", f"{other} group=b")


@pytest.mark.parametrize("other", ["a.b", "a.b.", "A.B", "A.b."])
def test_a_host_is_the_same_in_full_and_in_capitals(other: str) -> None:
    assert "two routes are for host a.b and path /" in problems_of("host=a.b group=x", f"host={other} group=y")
    assert "two routes are for host *.a.b and path /x" in problems_of(f"host=*.{other} path=/x", "host=*.a.b path=/x/")
    table = RouteTable(read_routes([f"host={other} group=x", "group=y"]))
    assert [table.find(host, "/").group for host in ("a.b", "a.b.:80", "c")] == ["x", "x", "y"]  # type: ignore[union-attr]


def test_a_group_has_one_policy_and_one_check() -> None:
    told = problems_of("path=/a policy=ring check=/x", "path=/b policy=rendezvous check=/y")
    assert "routes give group 'default' the policy 'rendezvous' and 'ring'" in told
    assert "the check '/x' and '/y'" in told
    routes = read_routes(["path=/a group=g policy=ring", "path=/b group=g", "path=/c"])
    assert [setting_of_group(routes, group, "policy") for group in ("g", "default")] == ["ring", ""]


def test_a_route_adapts_what_its_backends_say_of_themselves() -> None:
    backend = Backend(name=NodeName("a"), url="ws://h:1", on_move=OnMove.REOPEN, restart_codes=(1011,))
    assert read_route("path=/").adapt(backend) is backend
    adapted = read_route("path=/ on-move=close close-code=4000").adapt(backend)
    assert (adapted.on_move, adapted.close_code, adapted.restart_codes) == (OnMove.CLOSE, 4000, (1011,))
    assert adapted.incarnation == backend.incarnation
