"""Wrong fields of a request: each is told with its value, its rule, and the fields that there are."""

from typing import Annotated, Any, Literal

import msgspec
import pytest

from ringway.protocol.wrong_field import find_wrong_fields


class Order(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    node: Annotated[str, msgspec.Meta(min_length=1)]
    within_s: Annotated[float, msgspec.Meta(ge=0, le=60)] = 0.0
    force: bool = False
    first: Literal["oldest", "youngest"] = "oldest"
    codes: list[Annotated[int, msgspec.Meta(le=4999)]] = []


KNOWN = "there are node, within_s, force, first, codes"

WRONG = {
    "unknown": ({"node": "a", "nod": 1}, [("nod", f"there is no such field; {KNOWN}")]),
    "missing": ({}, [("node", "it is missing; give a text, with a length of at least 1")]),
    "type": (
        {"node": "a", "within_s": "soon"},
        [("within_s", 'it is "soon"; it must be a number, at least 0, at most 60')],
    ),
    "bound": ({"node": "a", "within_s": 61}, [("within_s", "it is 61; it must be a number, at least 0, at most 60")]),
    "switch": ({"node": "a", "force": "perhaps"}, [("force", 'it is "perhaps"; it must be true or false')]),
    "choice": ({"node": "a", "first": "new"}, [("first", 'it is "new"; it must be one of oldest, youngest')]),
    "no object": (
        ["a"],
        [("data", 'the body is ["a"]; it must be an object with the fields node, within_s, force, first, codes')],
    ),
    "all at once": (
        {"wy": 1, "within_s": -1},
        [
            ("wy", f"there is no such field; {KNOWN}"),
            ("node", "it is missing; give a text, with a length of at least 1"),
            ("within_s", "it is -1; it must be a number, at least 0, at most 60"),
        ],
    ),
}


@pytest.mark.parametrize(("body", "told"), WRONG.values(), ids=WRONG)
def test_a_wrong_field_is_told_with_value_rule_and_the_fields_that_there_are(body: Any, told: list[tuple[str, str]]):
    assert find_wrong_fields(body, Order) == told


def test_a_value_inside_a_list_is_told_with_its_rule():
    [(name, why)] = find_wrong_fields({"node": "a", "codes": [1, 5000]}, Order)
    assert (name, why) == ("codes", "it is [1,5000]; [1]: give a whole number <= 4999")


def test_a_long_value_is_cut():
    [(_, why)] = find_wrong_fields({"node": "a", "within_s": "x" * 10_000}, Order)
    assert len(why) < 200
