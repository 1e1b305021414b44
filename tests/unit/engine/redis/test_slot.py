import pytest

from ringway.engine.redis.slot import slot_of


@pytest.mark.parametrize(
    ("name", "slot"),
    [
        (b"123456789", 0x31C3),  # the check value of CRC16/XMODEM, in the cluster specification
        (b"foo", 12182),
        (b"{user1000}.following", 3443),
        (b"{user1000}.followers", 3443),
        (b"foo{}{bar}", 8363),  # nothing in the first braces: all of it counts
        (b"foo{{bar}}zap", 4015),
        (b"foo{bar}{zap}", 5061),
        (b"", 0),
    ],
)
def test_slots_are_those_of_the_specification(name: bytes, slot: int) -> None:
    assert slot_of(name) == slot
