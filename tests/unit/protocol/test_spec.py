"""The option language of specs, without the words of any one kind of them."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringway.protocol.spec import (
    OptionErrors,
    convert_options,
    quote_value,
    read_pairs,
    split_items,
    suggestion,
    text_of_value,
    unquote_value,
)

ERRORS = OptionErrors(
    unknown="{subject}: no {option}; {known}",
    malformed="{subject}: {item!r} is no option",
    repeated="{subject}: {option} twice",
    wrong="{subject}: {item}: {rule}",
)


class Options(msgspec.Struct, kw_only=True):
    count: int = 1
    share: float | None = None
    on: bool = True


def test_pairs_are_read_without_white_space() -> None:
    problems: list[str] = []
    assert read_pairs(["a=1", " b = c=d ", "e="], "x", ERRORS, problems) == {"a": "1", "b": "c=d", "e": ""}
    assert problems == []


def test_every_wrong_item_is_named() -> None:
    problems: list[str] = []
    assert read_pairs(["a", "=1", "b=1", "b=2", "c=1"], "x", ERRORS, problems, known=("b",)) == {"b": "1"}
    assert problems == ["x: 'a' is no option", "x: '=1' is no option", "x: b twice", "x: no c; b"]


def test_without_their_sentences_items_may_be_bare_and_repeated() -> None:
    problems: list[str] = []
    lax = OptionErrors(unknown="no {option}")
    assert read_pairs(["a", "b=1", "b=2"], "x", lax, problems) == {"a": "", "b": "2"}
    assert problems == []


def test_an_item_is_shown_as_the_caller_shows_it() -> None:
    problems: list[str] = []
    read_pairs(["secret"], "x", ERRORS, problems, show=lambda item: "(hidden)")
    assert problems == ["x: '(hidden)' is no option"]


def test_options_are_typed_and_wrong_ones_named_with_their_rule() -> None:
    problems: list[str] = []
    given_options = [("count", "many"), ("share", "0.5"), ("on", "false"), ("of", "1")]
    assert convert_options(given_options, Options, "x", ERRORS, problems) == {"share": 0.5, "on": False}
    assert problems[0].startswith("x: count=many: give a whole number")
    assert problems[1] == "x: no of; count, share, on"


@pytest.mark.parametrize(
    ("known", "text"),
    [(["period", "path"], "did you mean 'period'?"), (["path", "low"], "there are path, low"), ([], "it has none")],
)
def test_a_suggestion_names_what_is_near_or_all_there_is(known: list[str], text: str) -> None:
    assert suggestion("perod", known) == text


def test_values_of_tables_are_texts() -> None:
    assert [text_of_value(value) for value in (True, 0.5, 3, "x")] == ["true", "0.5", "3", "x"]


@given(st.lists(st.text(), min_size=1))
def test_quoted_values_come_back_whole(values: list[str]) -> None:
    text = ",".join(quote_value(value) for value in values)
    assert [unquote_value(item) for item in split_items(text)] == values


def test_quotes_that_do_not_match_are_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        unquote_value('"x')
