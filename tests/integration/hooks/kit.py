"""Settings of nodes with hooks."""

import math
import time
from typing import Any

from ringway.hooks.hook import Hook
from ringway.node.server import ChannelNode
from support.hook_server import HookServer

RULES = (
    "default:history_size=0,allow_subscribe_for_client=true,allow_publish_for_client=true",
    "kept:history_size=100",
)

BREAKER_S = 0.2
"""How long a breaker is open here."""


def settings(server: HookServer, *options: str, **more: Any) -> dict[str, Any]:
    """Settings of a node that checks rights, whose hook `app` is at `server`."""
    given = ",".join([f"app:endpoint={server.url}", f"breaker_open_s={BREAKER_S}", "timeout_s=20", *options])
    return {"insecure": False, "namespaces": RULES, "hooks": (given,), "connect_deadline_s": 120.0, **more}


def hook_of(node: ChannelNode) -> Hook:
    (hook,) = node.clients.hooks
    return hook


def outcomes(node: ChannelNode) -> dict[str, int]:
    """How often each outcome was counted, whatever the event."""
    found: dict[str, int] = {}
    for (_, outcome), count in hook_of(node).stats.requests.items():
        found[outcome.value] = found.get(outcome.value, 0) + count
    return found


def in_s(seconds: float) -> int:
    """The Unix time in at least so many seconds."""
    return math.ceil(time.time() + seconds)
