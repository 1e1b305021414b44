"""The server that a suite expects at port 8000: a node, a gateway, or a gateway whose nodes are restarted."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping

from sdk_suites.front import front
from sdk_suites.suite import PORT, SECRET
from support.system import NODE_PORTS, System, free_port, running_system, wait_for

WAYS = ("node", "gateway", "restarts")
NODES = 2
PAUSE_S = 3.0
"""The time from one node's return to the restart of the next."""

_OPEN = "history_size=100,history_ttl_s=300"
_JOINS = "join_leave=true,force_push_join_leave=true"
_RIGHTS = "allow_publish_for_subscriber=true,allow_presence_for_subscriber=true,allow_history_for_subscriber=true"
_ALL = ",".join(
    f"allow_{action}_for_{who}=true"
    for action in ("subscribe", "publish", "presence", "history")
    for who in ("client", "anonymous")
)
_FEW = "smallhistory:history_size=2,history_ttl_s=300"

SETTINGS: Mapping[str, Mapping[str, str]] = {
    "js": {
        "RINGWAY_NODE_INSECURE": "true",
        "RINGWAY_NODE_NAMESPACES": f"default:{_OPEN} {_FEW} recovery:{_OPEN} delta:{_OPEN}",
    },
    "python": {
        "RINGWAY_TOKEN_HMAC_SECRET_KEY": SECRET,
        "RINGWAY_TOKEN_HMAC_SECRET_BYTES_MIN": str(len(SECRET)),
        "RINGWAY_NODE_SUBSCRIBE_TO_USER_PERSONAL_CHANNEL": "true",
        "RINGWAY_NODE_NAMESPACES": f"default:{_OPEN},{_JOINS},{_RIGHTS} {_FEW},{_RIGHTS}",
    },
    "go": {
        # Not `insecure`: there every namespace exists, and the suite asks for one that does not.
        "RINGWAY_NODE_INSECURE": "false",
        "RINGWAY_NODE_ALLOW_ANONYMOUS_CONNECT_WITHOUT_TOKEN": "true",
        "RINGWAY_NODE_NAMESPACES": f"default:history_size=100,history_ttl_s=300,presence=false,{_ALL} {_FEW},{_ALL}",
    },
}
"""What each suite's own configuration of Centrifugo says, in Ringway's settings."""


@contextlib.contextmanager
def serving(suite: str, way: str) -> Iterator[None]:
    """Serve `suite` in one of the `WAYS` until the block ends."""
    apis = _free_ports(NODES)
    settings = {
        **SETTINGS[suite],
        "RINGWAY_NODE_ALLOWED_ORIGINS": "*",
        "RINGWAY_GATEWAY_ALLOWED_ORIGINS": "*",
        "RINGWAY_HTTP_API_PORT": str(apis[0]),
        "RINGWAY_HTTP_API_INSECURE": "true",
    }
    clients = free_port()
    node_port = {"RINGWAY_NODE_PORT": str(clients)} if way == "node" else {}
    system = running_system(
        nodes=1 if way == "node" else NODES,
        environ={**settings, **node_port},
        port=0 if way == "node" else clients,
    )
    restarting = _restarting if way == "restarts" else contextlib.nullcontext
    with system as started, front(PORT, clients, apis), restarting(started):
        yield


def _free_ports(count: int) -> range:
    """Return `count` free ports in a row, as `up` gives them to its nodes."""
    first = free_port(NODE_PORTS)
    return range(first, first + count)


@contextlib.contextmanager
def _restarting(system: System) -> Iterator[None]:
    """Restart the nodes one after another until the block ends."""
    stop = threading.Event()
    restarts = threading.Thread(target=_restart_nodes, args=(system, stop))
    restarts.start()
    try:
        yield
    finally:
        stop.set()
        restarts.join()


def _restart_nodes(system: System, stop: threading.Event) -> None:
    """Restart the nodes one after another until `stop`; each leaves in peace, and `up` starts it again."""
    while not stop.is_set():
        for name in ("node-1", "node-2"):
            before = system.pid_of(name)
            os.kill(before, signal.SIGTERM)
            wait_for(lambda name=name, before=before: _is_back(system, name, before), f"the return of {name}")
            if stop.wait(PAUSE_S):
                return


def _is_back(system: System, name: str, before: int) -> bool:
    try:
        return system.pid_of(name) != before and name in system.nodes()
    except LookupError:
        time.sleep(0.05)
        return False
