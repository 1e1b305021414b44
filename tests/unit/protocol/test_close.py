"""Close codes."""

import pytest

from ringway.protocol import close
from ringway.protocol.close import Retry, may_travel, retry_of


def test_the_range_says_what_to_do() -> None:
    """An old client judges a new code by its range; so no code of the table may contradict its own."""
    for code in close.CODES:
        if code >= 3000:
            final = 3500 <= code < 4000 or code >= 4500
            assert (retry_of(code) is Retry.NEVER) == final, code


@pytest.mark.parametrize(
    ("code", "retry"),
    [
        (1000, Retry.NEVER),
        (1012, Retry.ELSEWHERE),
        (1013, Retry.BACKOFF),
        (close.ABNORMAL, Retry.BACKOFF),
        (1011, Retry.BACKOFF),
        (3008, Retry.BACKOFF),
        (3499, Retry.BACKOFF),
        (3599, Retry.NEVER),
        (4000, Retry.BACKOFF),
        (4500, Retry.NEVER),
        (4999, Retry.NEVER),
    ],
)
def test_codes_are_judged_by_table_then_range(code: int, retry: Retry) -> None:
    assert retry_of(code) is retry


def test_exactly_the_codes_of_the_standard_travel() -> None:
    travelling = {code for code in range(6000) if may_travel(code)}
    assert travelling == {1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)}


def test_every_code_of_the_table_may_travel() -> None:
    assert all(may_travel(code) for code in close.CODES)


def test_rows_are_found_by_their_code_and_in_order() -> None:
    assert list(close.CODES) == sorted(close.CODES)
    assert all(code == row.code and row.name and row.meaning for code, row in close.CODES.items())
