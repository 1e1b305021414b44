"""Planned moves of connections between servers that people have: a drain, and one server more."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from integration.own_servers.driver import Clients
from integration.own_servers.instance import JoinedInstance
from integration.own_servers.running import OwnServers
from integration.own_servers.scenario import BACK_S, Loss, serve_elsewhere
from support.system import wait_for

WITHIN = "20s"


@contextmanager
def drained(servers: OwnServers, clients: Clients, loss: Loss, within: str = WITHIN) -> Iterator[None]:
    """Drain an instance for the block, which begins when all its clients are served elsewhere.

    That is done by `ringway drain`, or by SIGTERM to `ringway join`, which ends the instance when it is empty.
    """
    instance = servers.instances[loss.instance]
    if isinstance(instance, JoinedInstance):
        instance.leave()
        serve_elsewhere(clients, loss)
        instance.wait_left()
        yield
        servers.restart(loss.instance)
        return
    try:
        _command_until_taken(servers, "drain", loss.instance, "--within", within)
        serve_elsewhere(clients, loss)
        yield
    finally:
        servers.gateway.ringway("undrain", loss.instance)


def scale_out(servers: OwnServers, clients: Clients, name: str) -> float:
    """Run one instance more, and wait until it serves its share; return when it was started."""
    at = time.monotonic()
    share = len(clients.drivers) // (len(servers.instances) + 1)
    servers.start(name)
    wait_for(lambda: clients.spread()[name] >= share, f"{share} clients at {name}", BACK_S)
    clients.wait_acked(deadline_s=BACK_S)
    return at


def scale_in(servers: OwnServers, clients: Clients, name: str) -> float:
    """Let the source of an instance offer it no more, and wait until its clients are elsewhere; return when it was."""
    at = time.monotonic()
    servers.withdraw(name)
    wait_for(lambda: name not in clients.spread() and None not in clients.spread(), f"no client at {name}", BACK_S)
    clients.wait_acked(deadline_s=BACK_S)
    return at


def _command_until_taken(servers: OwnServers, *command: str) -> None:
    """Run a command, again while it is refused because clients have just come by themselves. Raise `RuntimeError`."""

    def taken() -> bool:
        try:
            servers.gateway.ringway(*command)
        except RuntimeError as refused:
            if "busy with clients" not in str(refused):
                raise
            return False
        return True

    wait_for(taken, f"{command[0]} to be taken")
