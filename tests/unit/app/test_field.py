from typing import Annotated, Literal

import msgspec
import pytest

from ringway.app.config import all_fields
from ringway.app.field import fields_of, show_value


class Sample(msgspec.Struct, kw_only=True):
    pause_s: Annotated[float, msgspec.Meta(description="A pause.", gt=0, le=60, extra={"unit": "s"})] = 2.5
    port: Annotated[Annotated[int, msgspec.Meta(ge=0, le=65535)] | None, msgspec.Meta(description="A port.")] = None
    level: Annotated[Literal["low", "high"], msgspec.Meta(description="A level.")] = "low"
    names: Annotated[tuple[str, ...], msgspec.Meta(description="Names.", extra={"flag": "name"})] = ()
    enabled: Annotated[bool, msgspec.Meta(description="Whether.")] = True
    token: Annotated[str, msgspec.Meta(description="A secret.", extra={"secret": True})] = ""
    path: Annotated[str, msgspec.Meta(description="A path.", pattern="^/")] = "/"
    per_s: Annotated[float, msgspec.Meta(description="A rate.", extra={"unit": "1/s"})] = 1.0
    spec: Annotated[str, msgspec.Meta(extra={"table": lambda table: f"{table['name']}!", "hide": str.upper})] = ""
    specs: Annotated[
        tuple[str, ...], msgspec.Meta(extra={"table": lambda table: table["name"], "hide": str.upper})
    ] = ()


FIELDS = {field.name: field for field in fields_of("sample", Sample)}


def test_a_field_says_what_it_is_called_everywhere():
    pause = FIELDS["pause_s"]
    assert (pause.path, pause.env, pause.flag) == ("sample.pause_s", "RINGWAY_SAMPLE_PAUSE_S", "pause-s")
    assert FIELDS["names"].flag == "name"
    assert (pause.description, pause.default, pause.secret) == ("A pause.", 2.5, False)
    assert FIELDS["token"].secret


@pytest.mark.parametrize(
    ("name", "rule", "metavar"),
    [
        ("pause_s", "a number of seconds, above 0, at most 60", "SECONDS"),
        ("port", "a whole number, at least 0, at most 65535", "NUMBER"),
        ("level", "one of low, high", "low|high"),
        ("names", "a list of texts", "TEXT"),
        ("enabled", "true or false", "TEXT"),
        ("token", "a text", "TEXT"),
        ("path", "a text that matches ^/", "TEXT"),
        ("per_s", "a number per second", "SECOND"),
    ],
)
def test_a_field_says_its_rule_in_words(name, rule, metavar):
    assert (FIELDS[name].rule, FIELDS[name].metavar) == (rule, metavar)


def test_kinds_of_fields_are_told_apart():
    assert [name for name, field in FIELDS.items() if field.repeated] == ["names", "specs"]
    assert [name for name, field in FIELDS.items() if field.switch] == ["enabled"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (2.0, "2"), (2.5, "2.5"), ((), "(none)"), (("a", "b"), "a b"), (None, "(none)"), ("x", "x")],
)
def test_values_are_shown_as_a_person_writes_them(value, text):
    assert show_value(value) == text


def test_every_setting_of_ringway_is_described_and_ends_as_a_sentence():
    for field in all_fields().values():
        assert field.description.rstrip("`").endswith("."), f"{field.path} is not described in whole sentences"


def test_no_two_settings_share_an_environment_variable():
    names = [field.env for field in all_fields().values()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("name", "written", "read"),
    [
        ("spec", {"name": "a"}, "a!"),
        ("spec", "short", "short"),
        ("specs", [{"name": "a"}, "short"], ["a", "short"]),
        ("specs", 7, 7),  # judged later, with all others
        ("path", {"name": "a"}, {"name": "a"}),
    ],
)
def test_tables_of_toml_become_short_forms(name, written, read):
    assert FIELDS[name].of_toml(written) == read


def test_what_is_shown_of_a_value_is_its_fields_matter():
    assert FIELDS["spec"].showable("a") == "A"
    assert FIELDS["specs"].showable(("a", "b")) == ("A", "B")
    assert FIELDS["specs"].showable(()) == ()
    assert FIELDS["path"].showable("a") == "a"
