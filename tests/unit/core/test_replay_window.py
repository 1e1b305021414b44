"""Tests of `ringway.core.replay_window`."""

from ringway.core.replay_window import WIDTH, ReplayWindow
from ringway.protocol.seal import SealedMessage, SealError, SealFault
from ringway.types import Incarnation

ORIGIN = Incarnation("0badcafe")
NOW = 1_790_000_000.25


def message(number: int, origin: str = ORIGIN) -> SealedMessage:
    return SealedMessage(2, 1, Incarnation(origin), number, NOW, b"")


def accepts(window: ReplayWindow, number: int, origin: str = ORIGIN) -> bool:
    try:
        window.check(message(number, origin))
    except SealError as error:
        return error.fault is not SealFault.REPLAYED
    return True


def test_each_number_counts_once_in_any_order() -> None:
    window = ReplayWindow()
    assert [accepts(window, number) for number in (3, 1, 3, 2, 2, 1, 9, 8, 9)] == [
        True, True, False, True, False, False, True, True, False,
    ]  # fmt: skip


def test_numbers_far_below_the_highest_are_refused() -> None:
    window = ReplayWindow()
    assert accepts(window, WIDTH + 1)
    assert accepts(window, 2)
    assert not accepts(window, 1)
    assert accepts(window, 10 * WIDTH)
    assert not accepts(window, WIDTH + 1)


def test_above_the_maximum_the_sender_gives_way_that_was_silent_for_longest() -> None:
    window = ReplayWindow(senders_max=2)
    assert [accepts(window, 5, sender) for sender in ("0000000a", "0000000b")] == [True, True]
    assert accepts(window, 6, "0000000a")
    assert accepts(window, 5, "0000000c")
    assert not accepts(window, 6, "0000000a")
    assert not accepts(window, 5, "0000000c")
    assert accepts(window, 5, "0000000b")
