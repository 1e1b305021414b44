"""Backends as tables and JSON objects describe them, and the problems that are named."""

from typing import Any

import pytest

from ringway.core.backend_reader import read_backend_fields
from ringway.core.backend_spec import read_backend
from ringway.errors import ConfigError
from ringway.protocol.backend import OnMove

WHERE = "backends.toml, backend 2"


def problems_with(fields: dict[str, Any], **options: Any) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        read_backend_fields(fields, WHERE, **options)
    return caught.value.problems


def test_a_url_is_enough_and_means_the_same_as_in_a_spec() -> None:
    assert read_backend_fields({"url": "ws://10.0.0.7:9000"}, WHERE) == read_backend("ws://10.0.0.7:9000")


def test_all_fields_are_read() -> None:
    backend = read_backend_fields(
        {
            "url": "wss://chat.example/app", "name": "blue", "weight": 2, "group": "chat", "zone": "a",
            "check": "/healthz", "check_host": "app.example", "host": "web.example", "tls_name": "tls.example",
            "on_move": "reopen", "close_code": 4000, "restart_codes": [1001, 1011],
        },
        WHERE,
    )  # fmt: skip
    assert backend == read_backend(
        "wss://chat.example/app,name=blue,weight=2,group=chat,zone=a,check=/healthz,check-host=app.example,"
        "host=web.example,tls-name=tls.example,on-move=reopen,close-code=4000,restart-codes=1001+1011"
    )
    assert backend.on_move is OnMove.REOPEN


def test_null_and_the_empty_text_mean_the_default() -> None:
    fields = {"url": "ws://h:1", "name": "", "weight": None, "zone": None, "group": ""}
    assert read_backend_fields(fields, WHERE) == read_backend("ws://h:1")


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("url", 9000, "url is 9000; it must be a text"),
        ("url", "http://h:1", "must begin with ws:// or wss://"),
        ("name", "a b", "not usable"),
        ("name", 7, "name is 7; it must be a text"),
        ("weight", "many", "weight is 'many'; it must be 0 (no newcomers), or 0.001 to 1000"),
        ("weight", True, "weight is True; it must be 0"),
        ("weight", -1, "the weight '-1' must be 0 (no newcomers), or 0.001 to 1000"),
        ("weight", 1e-320, "must be 0 (no newcomers), or 0.001 to 1000"),
        ("weight", float("nan"), "must be 0 (no newcomers)"),
        ("weight", 10**400, "must be 0 (no newcomers)"),
        ("group", "a b", "group"),
        ("check", "healthz", "must be a path"),
        ("check_host", "app.example", "no effect without a check"),
        ("host", "http://a", "must be a host"),
        ("on_move", "stay", "on_move is 'stay'; it must be auto, close, reopen, never"),
        ("on_move", "follow", "must be auto, close, reopen or never"),
        ("close_code", 1006, "close code 1006"),
        ("close_code", 1012.5, "close_code is 1012.5; it must be a whole number"),
        ("restart_codes", 1001, "restart_codes is 1001; it must be a list of whole numbers"),
        ("restart_codes", [1006], "close code 1006"),
        ("check-host", "a", "there is no field 'check-host'; did you mean 'check_host'?"),
        ("life", "x", "there is no field 'life'"),
    ],
)
def test_problems_name_the_place_the_value_and_the_rule(field: str, value: Any, says: str) -> None:
    (problem,) = problems_with({"url": "ws://h:1"} | {field: value})
    assert problem.startswith(f"{WHERE}: ")
    assert says in problem


def test_all_problems_at_once() -> None:
    assert len(problems_with({"wight": 2, "close_code": "x", "name": []})) == 4


def test_fields_of_the_caller_are_known_but_not_read() -> None:
    fields = {"url": "ws://h:1", "draining": True}
    assert read_backend_fields(fields, WHERE, also=("draining",)) == read_backend("ws://h:1")
    (problem,) = problems_with({"url": "ws://h:1", "drainin": True}, also=("draining",))
    assert "did you mean 'draining'?" in problem


def test_credentials_and_long_values_are_not_repeated() -> None:
    (problem,) = problems_with({"url": "ws://h:1", "weight": "ws://user:geheim@h" + "x" * 1000})
    assert "geheim" not in problem
    assert len(problem) < 250
