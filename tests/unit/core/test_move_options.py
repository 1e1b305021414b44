"""Options about moves: a backend's and a route's are read alike, and a wrong one is named with its subject."""

import pytest

from ringway.core.backend_spec import read_backend
from ringway.core.route_spec import read_route
from ringway.errors import ConfigError
from ringway.protocol.backend import OnMove

RIGHT = ["on-move=never", "close-code=4000", "restart-codes=1001+1011"]
WRONG = [
    ("on-move=perhaps", "on-move=perhaps of {subject} must be auto, close, reopen or never"),
    ("on-move=follow", "on-move=follow of {subject} must be auto, close, reopen or never"),
    ("close-code=1006", "close-code=1006 of {subject}: a close code must be one of 1000, 1001"),
    ("close-code=1012+1013", "close-code=1012+1013 of {subject}: a close code must be one of"),
    ("restart-codes=1001+x", "restart-codes=1001+x of {subject}: a close code must be one of"),
]


def test_a_backend_and_a_route_are_given_the_same() -> None:
    for made in (read_backend(",".join(["ws://h:1", *RIGHT])), read_route(" ".join(RIGHT))):
        assert (made.on_move, made.close_code, made.restart_codes) == (OnMove.NEVER, 4000, (1001, 1011))


def test_without_them_a_backend_has_the_usual_ones_and_a_route_those_of_its_backends() -> None:
    backend, route = read_backend("ws://h:1"), read_route("path=/chat")
    assert (backend.on_move, backend.close_code, backend.restart_codes) == (OnMove.AUTO, 1012, ())
    assert (route.on_move, route.close_code, route.restart_codes) == (None, None, None)


@pytest.mark.parametrize(("option", "words"), WRONG, ids=[option for option, _ in WRONG])
def test_a_wrong_one_is_named_once(option: str, words: str) -> None:
    with pytest.raises(ConfigError) as backend:
        read_backend(f"ws://h:1,{option}")
    with pytest.raises(ConfigError) as route:
        read_route(option)
    for refused, subject in ((backend, "backend 'ws://h:1'"), (route, f"route {option!r}")):
        [problem] = refused.value.problems
        assert problem.startswith(words.format(subject=subject))
