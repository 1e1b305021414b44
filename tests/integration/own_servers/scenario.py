"""What happens to servers and their clients in tests and in the table of `python -m integration.own_servers`."""

import time
from dataclasses import dataclass

from integration.own_servers.driver import Clients, Driver
from integration.own_servers.running import OwnServers
from support.system import wait_for

BACK_S = 60.0
"""The time in which a client must be served again after a fault. The longest pause that a client of the kit makes by
itself is 35 s."""


@dataclass(frozen=True)
class Loss:
    """An instance was lost at the monotonic time `at`: the clients that it served, and the others."""

    instance: str
    at: float
    hit: list[Driver]
    others: list[Driver]


def serve_elsewhere(clients: Clients, loss: Loss) -> None:
    """Wait until all clients that were hit have noticed, and all clients are served."""
    wait_for(
        lambda: all(driver.instance not in (None, loss.instance) for driver in loss.hit), "another instance", BACK_S
    )
    clients.wait_acked(deadline_s=BACK_S)


def fullest(clients: Clients) -> Loss:
    """Return the instance that serves most clients, as one that is lost now."""
    before = {driver: driver.instance for driver in clients.drivers}
    victim = clients.spread().most_common(1)[0][0]
    assert victim is not None
    return Loss(
        victim,
        time.monotonic(),
        [driver for driver, instance in before.items() if instance == victim],
        [driver for driver, instance in before.items() if instance != victim],
    )


def kill_fullest(servers: OwnServers, clients: Clients) -> Loss:
    """Kill the instance that serves most clients, and wait until they all are served elsewhere."""
    loss = fullest(clients)
    servers.instances[loss.instance].kill()
    serve_elsewhere(clients, loss)
    return loss


def stop_fullest(servers: OwnServers, clients: Clients) -> Loss:
    """Send SIGTERM to the instance that serves most clients, and wait until they all are served elsewhere."""
    loss = fullest(clients)
    servers.instances[loss.instance].stop()
    serve_elsewhere(clients, loss)
    return loss


def kill_gateway(servers: OwnServers, clients: Clients) -> float:
    """Kill the gateway, start it again at the same port, and wait until all clients are served; return when it was."""
    at = time.monotonic()
    servers.gateway.kill()
    servers.gateway.start_again()

    def all_again() -> bool:
        return all(seen.reconnects and seen.instance is not None for seen in clients.seen(at))

    wait_for(all_again, "all clients to connect again", BACK_S)
    clients.wait_acked(deadline_s=BACK_S)
    return at
