import pytest

from ringway.errors import CommandError
from ringway.protocol.channel import check_channel


@pytest.mark.parametrize(
    "name", ["a", "news", "room 1", "a.b.>", "*", "ü", "€" * 85, "x" * 255, "a\u2028b", "日本", "%20"]
)
def test_legal_names(name: str) -> None:
    assert check_channel(name) == name


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "empty"),
        ("x" * 256, "256 bytes"),
        ("€" * 86, "258 bytes"),
        ("a\nb", "control"),
        ("\x00", "control"),
        ("a\x7f", "control"),
        ("a\x85", "control"),
        ("\ud800", "Unicode"),
    ],
)
def test_illegal_names_are_refused_with_a_reason(name: str, why: str) -> None:
    with pytest.raises(CommandError, match=why) as caught:
        check_channel(name)
    assert caught.value.code == 107


def test_the_bound_can_be_lowered() -> None:
    with pytest.raises(CommandError):
        check_channel("abc", 2)
    check_channel("ab", 2)
