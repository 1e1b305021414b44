"""Placing a client: what the shell adds to a policy's choice."""

import random

from ringway.core.load import LoadView, NodeLoad
from ringway.core.steering import Steering
from ringway.gateway.placement.placer import Placer
from ringway.gateway.stats import GatewayStats
from ringway.protocol.keyring import Keyring
from ringway.protocol.ticket import TicketSigner
from sample import equal, view_of
from support.log_capture import capture_logs


def broken(node: NodeLoad, view: LoadView) -> float:
    raise KeyError("rack")


def test_a_score_that_fails_stops_nobody_and_is_told_once() -> None:
    view = view_of(equal(3))
    steering = Steering("score:call=ours:broken", b"", lambda call: broken)
    placer = Placer(view, steering, TicketSigner(Keyring(b"secret")), GatewayStats(), lambda: 0.0, random.Random(1))
    with capture_logs() as logs:
        for _ in range(30):
            placer.place(None)
    assert [node.load for node in view.eligible] == [10, 10, 10]
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [
        ("the score fails; nodes for which it does are chosen last", "error")
    ]
    assert "KeyError" in logs[0]["problem"]
