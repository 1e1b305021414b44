"""Globs of channel names."""

import pytest

from ringway.core.glob import ALTERNATIVES_MAX, compile_glob


@pytest.mark.parametrize(
    ("glob", "matched", "others"),
    [
        ("chat:*", ["chat:", "chat:a:b"], ["chat", "news:a"]),
        ("*", ["", "a", "ä\n"], []),
        ("a?c", ["abc", "a*c"], ["ac", "abbc"]),
        ("[ab]1", ["a1", "b1"], ["c1"]),
        ("[!a-c]", ["d"], ["b"]),
        ("{chat,news}:1", ["chat:1", "news:1"], ["chat", "{chat,news}:1"]),
        ("a{b{c,d},e}", ["abc", "abd", "ae"], ["ab"]),
        ("a.b+", ["a.b+"], ["axb", "a.bb"]),
    ],
)
def test_a_glob_matches_whole_names(glob: str, matched: list[str], others: list[str]) -> None:
    matches = compile_glob(glob)
    assert [name for name in matched if not matches(name)] == []
    assert [name for name in others if matches(name)] == []


@pytest.mark.parametrize("glob", ["{a", "a}", "{a{b}", "x" * 256, "{1,2}" * 8], ids=str)
def test_an_unusable_glob_is_refused(glob: str) -> None:
    with pytest.raises(ValueError, match="the pattern"):
        compile_glob(glob)


def test_many_stars_do_not_go_back() -> None:
    assert not compile_glob("*a" * 120)("a" * 119)


def test_braces_are_bounded() -> None:
    texts = ",".join(map(str, range(ALTERNATIVES_MAX)))
    assert compile_glob(f"{{{texts}}}")("63")
    with pytest.raises(ValueError, match="more than 64"):
        compile_glob(f"{{{texts},64}}")
