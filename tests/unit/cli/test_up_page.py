"""The first page of `ringway up`: it names what fits the nodes of the system, channels or backends."""

import re

import msgspec
import pytest

from ringway.admin.member import Cluster, describe
from ringway.app.state import Running
from ringway.cli.up_page import first_page
from ringway.core.route_spec import read_routes
from unit.admin.test_member import node

RUNNING = Running(
    pid=1,
    started="",
    engine_url="nats://127.0.0.1:4222",
    cluster="",
    gateway_url="http://127.0.0.1:8000",
    admin_url="http://127.0.0.1:8001",
    logs="logs",
    registration_url="http://127.0.0.1:7400",
)


def page(
    cluster: Cluster,
    *,
    option: str = "",
    has_backends: bool = True,
    has_pages: bool = False,
    routes: tuple[str, ...] = (),
) -> str:
    return first_page(
        RUNNING, cluster, option, has_backends=has_backends, has_pages=has_pages, routes=read_routes(routes)
    )


def test_over_backends_it_names_a_backend_that_is_there_and_nothing_of_channels():
    said = page(describe([node("chat-a"), node("chat-b")]))
    assert re.search(r"^Backends +chat-a ", said, re.MULTILINE)
    assert re.search(r"^Registration +http://127.0.0.1:7400", said, re.MULTILINE)
    assert "ringway drain chat-a " in said
    assert "ringway undrain chat-a " in said
    assert "Clients connect to ws://127.0.0.1:8000 and the path" in said
    for channels in ("subscribe", "ringway pub", "ringway sub", "ringway node ", "node-1", "/connection/websocket"):
        assert channels not in said


def backend(name: str, group: str):
    return node(name, is_backend=True, group=group)


def test_routes_are_shown_with_their_urls_groups_and_backends():
    routes = ("host=feed.example.com group=feed", "path=/chat group=chat", "path=/live group=live")
    said = page(describe([backend("c1", "chat"), backend("c2", "chat"), backend("f1", "feed")]), routes=routes)
    for line in (
        "ws://feed.example.com:8000/  group feed: f1",
        "ws://127.0.0.1:8000/chat  group chat: c1, c2",
        "ws://127.0.0.1:8000/live  group live: none yet",
    ):
        assert line in said
    assert "`ws://${location.host}/chat`" in said, "the first URL that works at this address"
    assert "${location.host}/`" not in said
    assert "Clients connect by the routes" in said
    assert "ringway join ws://127.0.0.1:PORT --group feed" in said


def test_a_route_of_a_host_alone_says_that_its_name_must_lead_here():
    said = page(describe([]), routes=("host=*.example.com path=/a group=feed",))
    assert "ws://*.example.com:8000/a  group feed: none yet" in said
    assert "// any.example.com must lead to this machine" in said
    assert "`ws://any.example.com:8000/a`" in said


def test_without_routes_the_url_is_that_of_the_gateway():
    said = page(describe([node("a")]))
    assert "Routes" not in said
    assert "`ws://${location.host}/`" in said


def test_without_a_backend_yet_commands_ask_for_its_name():
    said = page(describe([]))
    assert "none yet" in said
    assert "ringway drain NAME " in said


def test_over_channel_nodes_it_names_channels():
    running = msgspec.structs.replace(RUNNING, insecure=True)
    said = first_page(running, describe([node("node-1")]), "", has_backends=False, has_pages=False)
    assert re.search(r"^Nodes +node-1 ", said, re.MULTILINE)
    for channels in ("subscribe", "ringway pub room", "ringway sub room", "ringway drain node-1"):
        assert channels in said
    assert "Clients connect to" not in said


def test_over_nodes_that_check_rights_it_shows_nothing_that_would_be_refused():
    said = page(describe([node("node-1")]), has_backends=False)
    assert re.search(r"^Rights +checked: a token", said, re.MULTILINE)
    assert "ringway sub --token TOKEN CHANNEL " in said
    for refused in ("new WebSocket", "ringway sub room", "ringway pub room"):
        assert refused not in said


@pytest.mark.parametrize("has_backends", [True, False], ids=["backends", "channels"])
def test_commands_name_the_state_directory_and_a_page_that_is_served_needs_no_console(has_backends):
    said = page(describe([node("a")]), option=" --state here", has_backends=has_backends, has_pages=True)
    assert "ringway top --state here" in said
    assert "Page " in said
    assert "new WebSocket" not in said


@pytest.mark.parametrize("insecure", [True, False], ids=["open", "not open"])
def test_it_says_that_no_rights_are_checked(insecure: bool):
    running = msgspec.structs.replace(RUNNING, insecure=insecure)
    said = first_page(running, describe([node("node-1")]), "", has_backends=False, has_pages=False)
    assert ("none are checked (insecure)" in said) is insecure
