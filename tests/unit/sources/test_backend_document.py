"""Documents that list backends, in both forms, and the problems that they name with their places."""

import json
import re
from pathlib import Path

import pytest

from ringway.core.backend_spec import read_backend
from ringway.errors import ConfigError
from ringway.protocol.backend import Backend
from ringway.sources.backend_document import read_document
from ringway.sources.sink import Offer

TOML = """
[[backend]]
name = "a"
url = "ws://10.0.0.1:9000"
weight = 2

[[backend]]
url = "ws://10.0.0.2:9000/app"
draining = true
within_s = 30
"""
OFFERS = {
    "a": Offer(read_backend("ws://10.0.0.1:9000,name=a,weight=2")),
    "10.0.0.2-9000-app": Offer(read_backend("ws://10.0.0.2:9000/app"), draining=True, within_s=30.0),
}


PAGE = Path(__file__).parents[3] / "docs" / "reference" / "backends-file.md"


def problems_in(text: str, path: str = "b.toml") -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        read_document(text, path)
    return caught.value.problems


def test_both_forms_say_the_same() -> None:
    backends = [
        {"name": "a", "url": "ws://10.0.0.1:9000", "weight": 2},
        {"url": "ws://10.0.0.2:9000/app", "draining": True, "within_s": 30},
    ]
    assert read_document(TOML, "b.toml") == OFFERS
    assert read_document(json.dumps({"backends": backends}), "/etc/B.JSON") == OFFERS


def test_a_list_may_be_empty_but_must_be_there() -> None:
    assert read_document("backend = []", "b.toml") == {}
    assert read_document('{"backends": []}', "b.json") == {}
    (problem,) = problems_in("")
    assert problem.startswith("b.toml: it has no list 'backend'; write [[backend]]")
    (problem,) = problems_in("{}", "b.json")
    assert 'write {"backends": [' in problem


@pytest.mark.parametrize(
    ("path", "text", "says"),
    [
        ("b.toml", "[[backend]]\nurl = ws://h:1", "b.toml: it is not TOML: Invalid value (at line 2, column 7)"),
        (
            "b.toml",
            '[[backend]]\nurl = "ws://h:1"\nurl = "ws://h:2"',
            "Cannot overwrite a value (at ",
        ),
        ("b.toml", '[backend]\nurl = "ws://h:1"', "it has no list 'backend'"),
        ("b.toml", "backend = [1]", "b.toml, backend 1: it is no table"),
        ("b.toml", "backends = []\nbackend = []", "there is no key 'backends'; did you mean 'backend'?"),
        ("b.toml", '[[backend]]\nname = "a"\nurl = "ws://h"\nwight = 2', "backend 1 ('a'): there is no field 'wight'"),
        ("b.toml", '[[backend]]\nurl = "http://h"', "backend 1: the URL 'http://h' must begin with ws:// or wss://"),
        ("b.toml", '[[backend]]\nurl = "ws://h"\nweight = nan', "must be 0 (no newcomers)"),
        ("b.toml", '[[backend]]\nurl = "ws://h"\ndraining = 1', "draining is 1; it must be true or false"),
        ("b.toml", '[[backend]]\nurl = "ws://h"\nwithin_s = 5', "within_s has no effect without draining"),
        ("b.toml", '[[backend]]\nurl = "ws://h"\ndraining = true\nwithin_s = -1', "within_s is -1; it must be 0 to"),
        ("b.toml", '[[backend]]\nurl = "ws://h"\ndraining = true\nwithin_s = nan', "within_s is nan; it must be"),
        ("b.toml", '[[backend]]\nurl = "ws://h"\ndraining = true\nwithin_s = true', "within_s is True; it must be"),
        ("b.json", "", "it is not JSON: Expecting value: line 1 column 1"),
        ("b.json", '{"backends": [}', "it is not JSON: Expecting value: line 1 column 15"),
        ("b.json", "[]", "it has no list 'backends'"),
        pytest.param("b.json", "[" * 100_000, "nested too deep", id="deep"),
        ("b.json", '{"backends": [], "backends": []}', "the key 'backends' is given twice"),
        ("b.json", '{"backends": [{"url": "ws://h", "weight": NaN}]}', "NaN is no number"),
        pytest.param("b.json", '{"backends": [' + "9" * 5000 + "]}", "JSON that can be used", id="long number"),
        ("b.yaml", "backends: []", "must end in .toml or .json"),
    ],
)
def test_problems_name_the_file_the_place_and_the_rule(path: str, text: str, says: str) -> None:
    (problem,) = problems_in(text, path)
    assert says in problem
    assert path in problem


def test_two_of_one_name() -> None:
    (problem,) = problems_in('[[backend]]\nname = "a"\nurl = "ws://h"\n' * 2)
    assert problem == "b.toml, backend 2: two backends are named 'a'; give each a name of its own"


def test_all_problems_at_once() -> None:
    text = '[[backend]]\nurl = 1\nwithin_s = 9\n[[backend]]\nname = "-"\nurl = "ws://h"\ndraining = "yes"\n'
    assert len(problems_in(text)) == 4


def test_the_page_about_the_file_shows_one_list_in_both_forms_and_every_field() -> None:
    page = PAGE.read_text()
    toml, document = (re.search(f"```{form}\n(.*?)```", page, re.DOTALL) for form in ("toml", "json"))
    assert toml is not None
    assert document is not None
    assert read_document(toml[1], "b.toml") == read_document(document[1], "b.json")
    rows = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    assert rows == {*Backend.__struct_fields__, "draining", "within_s"} - {"life"}
