"""Logger without a process around it: as in a test, or in an application that sets no sink."""

import pytest

from ringway.logger import get_logger


def test_without_a_sink_a_failure_is_written_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        int("broken")
    except ValueError:
        get_logger().exception("a receiver failed", receiver="n1")
    written = capsys.readouterr().err
    assert written.startswith("error: a receiver failed receiver='n1'\nTraceback")
    assert written.endswith("ValueError: invalid literal for int() with base 10: 'broken'\n")
