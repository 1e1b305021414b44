"""The application of an API port: named parts of paths, optional bodies, refusals in the form of the port."""

from typing import Annotated, Any

import msgspec

from ringway.api.application import ApiApp
from ringway.api.openapi import describe_api
from ringway.api.operation import ApiRefusal, Operation, QueryParameter
from unit.api.ask import ask, ask_whole


class Paint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    colour: str = "white"


def paint(room: str, data: Paint) -> dict[str, str]:
    if room == "attic":
        raise ApiRefusal(409, "the attic is closed", headers={"retry-after": "3"})
    return {room: data.colour}


PAINT = Operation(
    "POST", "/v1/rooms/{room}/paint", "paint", "Paint a room", paint, dict[str, str],
    body=Paint, body_optional=True, statuses=((409, "The room is closed"),),
)  # fmt: skip
ROOMS = Operation("GET", "/v1/rooms", "rooms", "All rooms", lambda: ["hall"], list[str])


def app(**options: Any) -> ApiApp:
    return ApiApp([PAINT, ROOMS], (), **options)


async def test_a_part_of_the_path_reaches_the_operation_by_its_name() -> None:
    assert await ask(app(), "POST", "/v1/rooms/hall/paint", {"colour": "red"}) == (200, {"hall": "red"})
    assert await ask(app(), "GET", "/v1/rooms/") == (200, ["hall"])


async def test_a_path_with_more_or_fewer_parts_is_not_found() -> None:
    for path in ("/v1/rooms/hall", "/v1/rooms/hall/paint/red", "/v1/halls/hall/paint"):
        assert (await ask(app(), "POST", path, {}))[0] == 404


async def test_another_method_at_such_a_path_is_told_what_is_allowed() -> None:
    status, _, headers = await ask_whole(app(), "GET", "/v1/rooms/hall/paint")
    assert (status, headers["allow"]) == (405, "POST, OPTIONS")


async def test_an_optional_body_may_be_empty() -> None:
    assert await ask(app(), "POST", "/v1/rooms/hall/paint") == (200, {"hall": "white"})


async def test_a_refusal_has_its_headers_and_the_form_of_the_port() -> None:
    painted = app(show=lambda refused: {"error": refused.detail})
    status, said, headers = await ask_whole(painted, "POST", "/v1/rooms/attic/paint")
    assert (status, said, headers["retry-after"]) == (409, {"error": "the attic is closed"}, "3")


async def test_a_body_above_the_bound_of_the_port_is_refused() -> None:
    assert (await ask(app(body_bytes_max=40), "POST", "/v1/rooms/hall/paint", {"colour": "r" * 40}))[0] == 413


def test_the_document_has_the_parts_of_the_path_and_all_answers() -> None:
    said = describe_api([PAINT, ROOMS], "Rooms", "1")["paths"]["/v1/rooms/{room}/paint"]["post"]
    assert said["parameters"] == [{"name": "room", "in": "path", "schema": {"type": "string"}, "required": True}]
    assert said["requestBody"]["required"] is False
    assert said["responses"]["409"]["description"] == "The room is closed"


class Order(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    node: str


async def test_the_port_answers_with_every_wrong_field_and_parameter():
    order = Operation("POST", "/v1/order", "order", "Order", lambda data: data.node, str, body=Order)
    count = QueryParameter("count", Annotated[int, msgspec.Meta(ge=1, le=1000)], 20)
    rows = Operation("GET", "/v1/rows", "rows", "Rows", lambda count: count, int, parameters=(count,))
    app = ApiApp([order, rows], ())
    status, said = await ask(app, "POST", "/v1/order", {"wy": 1})
    assert (status, said["detail"]) == (400, "Validation failed for POST /v1/order")
    assert [(each["key"], each["source"]) for each in said["extra"]] == [("wy", "body"), ("node", "body")]
    status, said = await ask(app, "GET", "/v1/rows?count=many")
    [wrong] = said["extra"]
    assert wrong == {
        "message": 'it is "many"; it must be a whole number, at least 1, at most 1000',
        "key": "count",
        "source": "query",
    }


async def test_a_change_refuses_parameters_that_it_does_not_have() -> None:
    """`?grp=chat` beside `group=` would make a change for all groups."""
    lift = Operation(
        "DELETE", "/v1/lift", "lift", "Lift", lambda group: group, str, parameters=(QueryParameter("group", str, ""),)
    )
    stop = Operation("DELETE", "/v1/stop", "stop", "Stop", lambda: 1, int)
    changes = ApiApp([lift, stop, PAINT, ROOMS], ())
    for method, path, told in (
        ("DELETE", "/v1/lift?grp=chat", "there is no such parameter; there are group"),
        ("POST", "/v1/rooms/hall/paint?colour=red", "send it in the body, which has the fields colour"),
        ("DELETE", "/v1/stop?now=1", "there is none; leave it out"),
    ):
        status, said = await ask(changes, method, path)
        assert status == 400
        assert told in said["extra"][0]["message"]
        assert said["extra"][0]["source"] == "query"
    assert await ask(changes, "DELETE", "/v1/lift?group=chat") == (200, '"chat"')
    assert await ask(changes, "GET", "/v1/rooms?shown=1") == (200, ["hall"])


async def test_an_empty_body_is_told_with_the_fields_that_it_should_have() -> None:
    order = Operation("POST", "/v1/order", "order", "Order", lambda data: data.node, str, body=Order)
    status, said = await ask(ApiApp([order], ()), "POST", "/v1/order")
    assert (status, said["extra"][0]["message"]) == (
        400,
        "the body is empty; send a JSON object with the fields node",
    )
