import pytest

from ringway.protocol.errorcode import CODES, INTERNAL, TOO_MANY_REQUESTS, command_error


@pytest.mark.parametrize("code", CODES)
def test_errors_carry_code_and_detail(code: int) -> None:
    error = command_error(code, "a detail")
    assert (error.code, error.temporary) == (code, CODES[code][1])
    assert CODES[code][0] in str(error)
    assert "a detail" in str(error)
    assert str(command_error(code)).endswith(CODES[code][0])


def test_what_a_retry_may_cure_is_temporary() -> None:
    assert {code for code, (_, temporary) in CODES.items() if temporary} == {INTERNAL, TOO_MANY_REQUESTS}
