"""Files of tokens: which files can be used, and what a change of the file does."""

import os
from pathlib import Path

import pytest

from ringway.api.token_file import TokenFile
from ringway.errors import ConfigError

OLD, NEW = "a" * 16, "b" * 20


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(OLD)
    tokens = TokenFile(str(file))
    assert tokens.admits(OLD)
    file.write_text(f"{OLD}\n{NEW}\n")
    assert tokens.admits(NEW)
    file.write_text(NEW)
    assert not tokens.admits(OLD)


def test_a_file_that_cannot_be_used_leaves_the_last_good_tokens(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(OLD)
    tokens = TokenFile(str(file))
    file.write_text("short\n")
    assert tokens.admits(OLD)
    assert not tokens.admits("short")
    os.unlink(file)
    assert tokens.admits(OLD)
    file.write_text(NEW)
    assert tokens.admits(NEW)


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "has no token"), ("# only\n", "has no token"), (f"{OLD}\nshort\n", "line 2"), ("a b" * 8, "line 1")],
    ids=["empty", "only comments", "a short token", "a token with a blank"],
)
def test_a_file_without_usable_tokens_is_refused_at_the_start(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "tokens"
    file.write_text(text)
    with pytest.raises(ConfigError, match=words):
        TokenFile(str(file))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no-such-file cannot be read"):
        TokenFile(str(tmp_path / "no-such-file"))
