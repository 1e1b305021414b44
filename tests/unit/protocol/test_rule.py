"""Rules in words, from types and from msgspec's errors."""

from typing import Annotated, Any, Literal

import msgspec
import pytest

from ringway.protocol.rule import rule_of_error, rule_of_type, rule_of_value, sentence_of_error, split_error


@pytest.mark.parametrize(
    ("annotation", "rule"),
    [
        (int, "a whole number"),
        (float | None, "a number"),
        (Annotated[bool, msgspec.Meta(description="x")], "true or false"),
        (Literal["lower", "higher"], "one of lower, higher"),
        (str, "a text"),
    ],
)
def test_a_type_says_what_a_value_must_be(annotation: Any, rule: str) -> None:
    assert rule_of_type(annotation) == rule


def test_an_error_says_it_with_its_bound_and_its_path() -> None:
    class Inner(msgspec.Struct):
        count: Annotated[int, msgspec.Meta(le=5)]

    class Outer(msgspec.Struct):
        inner: Inner

    with pytest.raises(msgspec.ValidationError) as raised:
        msgspec.convert({"inner": {"count": 9}}, Outer)
    assert rule_of_error(raised.value) == "give a whole number <= 5"
    assert split_error(raised.value) == ("Expected `int` <= 5", "inner.count")
    assert sentence_of_error(raised.value) == "inner.count: give a whole number <= 5"
    with pytest.raises(msgspec.ValidationError) as raised:
        msgspec.convert({"inner": {"count": "x"}}, Outer)
    assert sentence_of_error(raised.value) == "inner.count: give a whole number, and not a text"


def test_the_rule_of_a_value_has_its_bounds() -> None:
    assert rule_of_value(Annotated[float, msgspec.Meta(gt=0, le=60)]) == "a number, above 0, at most 60"
    assert rule_of_value(Annotated[str, msgspec.Meta(max_length=9)]) == "a text, with a length of at most 9"
    assert rule_of_value(int) == "a whole number"
