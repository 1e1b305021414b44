"""One of two gateways is killed: its clients go to the second gateway, and their sessions go on."""

import time

from chaos.scenario import HASTY, Outcome, Size, own_system, stage
from support.system import System, free_port, is_ready, wait_for

FULL = Size(clients=2000, rate=200, channels=50, faults=5, processes=2)
SMALL = Size(clients=60, rate=200, faults=1, environ=HASTY)
CALM_S = 0.5


def run(size: Size, system: System | None = None) -> Outcome:
    """Kill the first gateway, wait, and judge."""
    if system is None:
        with own_system(size) as own:
            return run(size, own)
    port = free_port()
    second = system.start("gateway", "--port", str(port), "--admin-port", str(free_port()))
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: is_ready(url), "the second gateway")
        with stage(size, system, None, url) as on:
            for _ in range(size.faults):
                time.sleep(CALM_S)
                on.faults.kill("gateway-1")
                wait_for(lambda: not on.system.is_ready(), "the gateway's death")
                on.load.wait(on.load.all_subscribed, "everybody to be back")
                wait_for(on.system.is_ready, "the gateway's return")
            outcome = on.outcome("gateway_killed", size)
    finally:
        second.terminate()
        second.wait(30)
    outcome.claim_back(p50_s=1.0, p99_s=5.0)
    return outcome
