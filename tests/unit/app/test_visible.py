"""Texts of strangers are shown without effect on the terminal."""

import json

import pytest

from ringway.app.visible import visible, visible_json

SHOWN = {
    "title": ("\x1b]0;X\x07", "\\x1b]0;X\\x07"),
    "C1 introducer": ("\x9b31m", "\\x9b31m"),
    "delete and null": ("a\x7f\x00", "a\\x7f\\x00"),
    "override": ("nimda\u202e", "nimda\\u202e"),
    "isolate": ("\u2066x\u2069", "\\u2066x\\u2069"),
    "separators": ("a\u2028b\u2029", "a\\u2028b\\u2029"),
    "half a pair": ("hi \ud83d", "hi \\ud83d"),
    "lines": ("a\r\n\tb", "a\\r\\n\\tb"),
    "plain": ("größer 😀 👩‍👩‍👧 [fd77::3] \\x1b", "größer 😀 👩‍👩‍👧 [fd77::3] \\x1b"),
}


@pytest.mark.parametrize(("text", "shown"), SHOWN.values(), ids=SHOWN)
def test_what_would_steer_the_terminal_is_visible(text, shown):
    assert visible(text) == shown


def test_what_is_to_be_kept_is():
    assert visible("a\nb\x1b", keep="\n") == "a\nb\\x1b"


@pytest.mark.parametrize("text", [pair[0] for pair in SHOWN.values()], ids=SHOWN)
def test_json_stays_the_same_json(text):
    raw = json.dumps({"text": text, "more": [text]}, ensure_ascii=False)
    shown = visible_json(raw)
    assert json.loads(shown) == json.loads(raw)
    assert visible(shown) == shown


def test_white_space_between_values_stays_white_space():
    assert json.loads(visible_json('{"a":\n\t1}\r')) == {"a": 1}
