"""Routing: by routes, or by what is there; a request that no route fits is told which there are."""

import pytest

from ringway.core.group import Groups
from ringway.core.route_spec import read_routes
from ringway.errors import UpgradeError
from ringway.gateway.placement.routing import Routing
from ringway.gateway.placement.unreached_groups import UnreachedGroups
from ringway.protocol.group import CHANNELS, DEFAULT
from ringway.protocol.report import Report
from ringway.types import Incarnation, Issuer, NodeName, Role
from support.log_capture import capture_logs

CHANNEL_PATH = "/connection/websocket"


def groups_with(*names: str) -> Groups:
    groups = Groups(Issuer("0badcafe"))
    for number, name in enumerate(names):
        groups.reported(
            Report(
                name=NodeName(f"m{number}"), incarnation=Incarnation(f"{number:08x}"), role=Role.NODE, seq=1,
                url=f"ws://h:1{CHANNEL_PATH}", is_backend=name != CHANNELS, group=name if name != CHANNELS else "",
            ),
            0.0,
        )  # fmt: skip
    return groups


def found(routing: Routing, *paths: str) -> list[str]:
    return [routing.find("h", path).group for path in paths]


def test_without_routes_all_requests_go_where_servers_are() -> None:
    assert found(Routing((), groups_with()), "/", CHANNEL_PATH) == [DEFAULT, DEFAULT]
    assert found(Routing((), groups_with(DEFAULT)), "/", CHANNEL_PATH) == [DEFAULT, DEFAULT]
    assert found(Routing((), groups_with(CHANNELS)), "/", CHANNEL_PATH) == [CHANNELS, CHANNELS]


def test_beside_backends_the_channel_nodes_have_their_path() -> None:
    for routing in (
        Routing((), groups_with(CHANNELS, DEFAULT)),
        Routing((), groups_with(CHANNELS), has_backends=True),
        Routing(read_routes(["path=/"]), groups_with(CHANNELS)),
    ):
        assert found(routing, "/", CHANNEL_PATH, "/connection", f"{CHANNEL_PATH}/x") == [
            DEFAULT, CHANNELS, DEFAULT, CHANNELS,
        ]  # fmt: skip
        assert [routing.find_asked("h", path).group for path in ("", "/", CHANNEL_PATH)] == [
            CHANNELS,
            DEFAULT,
            CHANNELS,
        ]


def test_what_comes_later_is_noticed() -> None:
    groups = groups_with(CHANNELS)
    routing = Routing((), groups)
    assert found(routing, "/") == [CHANNELS]
    groups.reported(groups_with(DEFAULT).nodes[NodeName("m0")].report, 0.0)  # type: ignore[arg-type]
    late = Report(
        name=NodeName("late"), incarnation=Incarnation("000000aa"), role=Role.NODE, seq=1, url="ws://h", is_backend=True
    )
    groups.reported(late, 0.0)
    assert found(routing, "/") == [DEFAULT]


def test_routes_may_name_the_channel_nodes() -> None:
    routing = Routing(read_routes(["path=/live group=channels", "path=/"]), groups_with(CHANNELS, DEFAULT))
    assert found(routing, "/live", CHANNEL_PATH) == [CHANNELS, DEFAULT]
    assert routing.find_asked("h", "").group == CHANNELS
    assert routing.find_asked("h", "").path == "/live"


def unreached(groups: Groups, *routes: str) -> list[str]:
    return [group.name for group in Routing(read_routes(routes), groups).unreached()]


def test_groups_to_which_no_route_leads_are_known() -> None:
    groups = groups_with(CHANNELS, DEFAULT, "chat")
    assert unreached(groups) == []
    assert unreached(groups, "path=/chat group=chat") == [DEFAULT]
    assert unreached(groups, "path=/", "path=/chat group=chat") == []
    assert unreached(groups, "path=/", f"path={CHANNEL_PATH} group=chat") == [CHANNELS]


def test_a_group_that_may_get_members_is_judged_by_the_routes_before_it_has_any() -> None:
    groups = groups_with(DEFAULT)
    routing = Routing(read_routes(["path=/", "path=/chat group=chat"]), groups)
    assert [routing.why_unreached(group) for group in (DEFAULT, "chat")] == ["", ""]
    assert routing.why_unreached("nope") == (
        "gets no clients here: no route leads to its group 'nope'; "
        "add a [[route]] with group = 'nope', or correct its group"
    )
    assert Routing((), groups).why_unreached("nope") == ""


def test_a_group_to_which_no_route_leads_is_warned_of_once() -> None:
    groups = groups_with(DEFAULT, "chat", "chat", "chat", "chat", "chat")
    warnings = UnreachedGroups(Routing(read_routes(["path=/"]), groups))
    with capture_logs() as events:
        for _ in range(3):
            warnings.tick()
    [event] = events
    assert (event["log_level"], event["group"], event["members"]) == ("warning", "chat", "m1, m2, m3, and 2 more")
    assert "add a [[route]] with group = 'chat'" in event["remedy"]


def test_a_request_without_a_route_is_told_which_there_are() -> None:
    routing = Routing(read_routes([f"path=/a{number}" for number in range(7)]), groups_with(DEFAULT))
    with pytest.raises(UpgradeError) as caught:
        routing.find("chat.test", "/b")
    assert caught.value.status == 404
    assert str(caught.value) == (
        "no route leads from /b at host chat.test to a server; there are routes for */a0, */a1, */a2, */a3, */a4 and 2 "
        "more: correct the URL, or add a [[route]] with this path to the gateway"
    )
    assert routing.only is None
