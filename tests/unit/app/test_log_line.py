import json
import logging
from contextvars import copy_context

import pytest

from ringway.app.log import open_log
from ringway.app.log_config import LogConfig
from ringway.app.log_line import as_coloured_text, as_json, as_text, stamp
from ringway.logger import bind, get_logger

EVENT = {"process": "node-1", "url": "ws://a b", "n": 5, "event": "listens", "level": "info", "timestamp": "T"}


def fail():
    raise ValueError("wrong")


def test_a_line_for_the_eye_begins_with_time_level_and_text():
    assert as_text(EVENT) == "T [info     ] listens                        n=5 process=node-1 url='ws://a b'"
    assert as_text({"event": "x", "level": "error", "logger": "asyncio"}) == f"[error    ] {'x':<30} [asyncio]"


def test_colours_say_how_bad_it_is():
    assert "\x1b[32m\x1b[1minfo" in as_coloured_text(EVENT)
    assert "\x1b[31m\x1b[1merror" in as_coloured_text({**EVENT, "level": "error"})
    assert "\x1b[36mn\x1b[0m=\x1b[35m5\x1b[0m" in as_coloured_text(EVENT)


def test_what_would_steer_the_terminal_is_visible():
    event = {"event": "\x1b[2J", "level": "info", "who": "\x1b]0;x", "exception": "a\n\x1bb"}
    assert "\x1b" not in as_text(event)
    assert as_text(event).endswith("\na\n\\x1bb")
    assert json.loads(as_json(event))["who"] == "\x1b]0;x"


def test_what_is_no_json_is_shown_as_python_does():
    assert json.loads(as_json({**EVENT, "data": b"\xff"}))["data"] == "b'\\xff'"


def test_an_exception_is_told_without_local_variables():
    secret = "hidden"
    try:
        fail()
    except ValueError as error:
        for info in (error, True, (ValueError, error, error.__traceback__)):
            said = stamp({**EVENT, "exc_info": info})
            assert said["exception"].endswith("ValueError: wrong")
            assert secret not in said["exception"]
            assert "exc_info" not in said
    assert "exception" not in stamp({**EVENT, "exc_info": True})
    assert stamp(EVENT)["timestamp"].endswith("Z")


@pytest.fixture
def lines(tmp_path):
    """Opens a log of JSON lines at `level`, and reads them."""

    def written(level, say):
        file = tmp_path / "log"
        with file.open("wb") as log, open_log(LogConfig(level=level, format="json"), log.fileno()):
            say()
        return [json.loads(line) for line in file.read_text().splitlines()]

    return written


def test_events_below_the_level_are_left_out_and_libraries_are_heard(lines):
    def say():
        log = get_logger()
        log.debug("a")
        log.info("b", n=1)
        log.warning("c")
        logging.getLogger("library").warning("%s is %d", "x", 1)
        logging.getLogger("library").warning("%d", "no number")
        logging.getLogger("library").info("quiet")

    def say_as_a_node():
        bind(process="node-1")
        say()

    said = lines("info", lambda: copy_context().run(say_as_a_node))
    assert [event["event"] for event in said[:3]] == ["b", "c", "x is 1"]
    assert list(said[0]) == ["process", "n", "event", "level", "timestamp"]
    assert said[2]["logger"] == "library"
    assert "does not go with" in said[3]["event"]
    assert len(said) == 4


def test_a_failure_carries_its_traceback(lines):
    def say():
        try:
            fail()
        except ValueError:
            get_logger().exception("it failed", at=1)

    [event] = lines("error", say)
    assert (event["event"], event["level"], event["at"]) == ("it failed", "error", 1)
    assert event["exception"].endswith("ValueError: wrong")
