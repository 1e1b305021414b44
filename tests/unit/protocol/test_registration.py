"""Answers of the registration port: clients of other releases read them."""

import msgspec
import pytest

from ringway.protocol.registration import BackendRow, BackendState, Granted, Refused, Renewed

ROW = {
    "name": "a", "url": "ws://a:1", "weight": 1, "group": "", "zone": "", "on_move": "auto", "incarnation": "",
    "lease": "1", "ttl_s": 10, "expires_in_s": 9, "state": "active",
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        (Granted, {"lease": "1", "ttl_s": 10, "state": "active"}),
        (Renewed, {"ttl_s": 10, "state": "draining"}),
        (BackendState, {"state": "draining"}),
        (BackendRow, ROW),
        (Refused, {"error": "x"}),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_field_of_a_later_release_is_ignored(kind, answer):
    told = msgspec.json.decode(msgspec.json.encode({**answer, "of_a_later_release": [1]}), type=kind)
    assert told == msgspec.json.decode(msgspec.json.encode(answer), type=kind)
