"""What each server that people have must show behind a gateway, whatever it is written in."""

import time
from collections.abc import Iterable
from pathlib import Path

from integration.own_servers.driver import Driver
from integration.own_servers.moving import drained, scale_in, scale_out
from integration.own_servers.rolling import AGAIN, Roll, ordered_per_s
from integration.own_servers.running import OwnServers
from integration.own_servers.scenario import fullest, kill_fullest, kill_gateway
from integration.own_servers.seen import Seen
from support.system import wait_for

CLIENTS = 6
MOVED = 40
"""Clients where a balance is wanted: fewer are within the noise of random placement."""

CALM_MS = 1000
"""The pause between two messages of each of them: long enough for a quiet moment."""

ROLLED = 24
"""Clients of servers that are restarted one after the other."""

PACE_PER_S = 5
"""The balancer's pace in a small cluster, in moves a second (`moves_per_s_min`)."""

UNDER_WAY = 2
"""The messages that a client may have under way when its server or its gateway is killed."""


def check_placed(servers: OwnServers) -> None:
    """Assert that each client stays at the instance that it was placed at, as long as nothing happens."""
    with servers.clients(CLIENTS) as clients:
        clients.wait_acked(5)
        clients.settle()
        check_undisturbed(clients.drivers)
        spread = clients.spread()
        assert spread.total() == CLIENTS
        expected = {name: spread[name] for name in servers.instances}
        wait_for(lambda: servers.gateway.connections() == expected, f"the gateway to count {expected}")


def check_killed(servers: OwnServers) -> None:
    """Assert that the clients of a killed instance come back by themselves, and that the others notice nothing."""
    with servers.clients(CLIENTS) as clients:
        loss = kill_fullest(servers, clients)
        clients.settle()
        for driver in loss.hit:
            seen = driver.seen(loss.at)
            if servers.moves_unseen:
                assert (seen.closes, seen.reconnects, seen.greetings) == ([], 0, 1)
            else:
                assert (seen.closes, seen.reconnects) == ([servers.stack.lost_node], 1)
            assert loss.instance not in seen.instances[1:]
            check_recovered(servers, seen)
        check_undisturbed(loss.others)
    servers.restart(loss.instance)


def check_gateway_killed(servers: OwnServers) -> None:
    """Assert that all clients come back by themselves when their gateway was killed and is there again."""
    with servers.clients(CLIENTS) as clients:
        at = kill_gateway(servers, clients)
        clients.settle()
        for seen in clients.seen(at):
            check_recovered(servers, seen)


def check_recovered(servers: OwnServers, seen: Seen) -> None:
    """Assert that a client goes on: no silence beyond its own timeout, nothing lost but what was under way."""
    assert seen.gave_up == []
    assert seen.silent_s <= servers.stack.silent_s_max
    assert seen.lost == 0 if servers.stack.retries else seen.lost <= UNDER_WAY


def check_drained(servers: OwnServers) -> None:
    """Assert that a drain moves each client of an instance once, and is not noticed by the others."""
    with servers.clients(MOVED, CALM_MS) as clients:
        loss = fullest(clients)
        with drained(servers, clients, loss):
            clients.settle()
            for driver in loss.hit:
                check_moved_once(servers, driver.seen(loss.at))
            check_undisturbed(loss.others)


def check_scaled_out(servers: OwnServers, name: str) -> None:
    """Assert that a new instance gets exactly its share, each client once, and gives it back when it is withdrawn.

    No client moves between the other instances.
    """
    with servers.clients(MOVED, CALM_MS) as clients:
        try:
            at = scale_out(servers, clients, name)
            clients.settle()
            moved = [driver for driver in clients.drivers if driver.instance == name]
            others = [driver for driver in clients.drivers if driver not in moved]
            assert len(moved) == MOVED // len(servers.instances), servers.gateway.ringway("moves")
            for driver in moved:
                check_moved_once(servers, driver.seen(at))
            check_undisturbed(others)
            clients.resume()
            clients.wait_acked()
            at = scale_in(servers, clients, name)
            clients.settle()
            for driver in moved:
                check_moved_once(servers, driver.seen(at))
            check_undisturbed(others)
        finally:
            servers.remove(name)


def check_rolled(servers: OwnServers, folder: Path) -> None:
    """Assert that all instances are restarted under traffic: no answer is lost, nobody is cut, the pace is held."""
    with servers.clients(ROLLED, CALM_MS) as clients, Roll(servers, folder) as roll:
        at = time.monotonic()
        said = roll.run("--within", "20s", "--pause", "1s")
        assert f"{len(servers.instances)} nodes were restarted" in said
        wait_for(lambda: all(str(name).endswith(AGAIN) for name in clients.spread()), "all at restarted instances")
        clients.wait_acked()
        clients.settle()
        for seen in clients.seen(at):
            assert (seen.lost, seen.waiting, seen.gave_up, seen.errors) == (0, 0, [], [])
            assert all(close.startswith(servers.stack.moved) for close in seen.closes), seen.closes
            assert servers.moves_unseen <= (seen.closes == [])
            assert seen.silent_s <= servers.stack.silent_s_max
        assert sum(len(seen.instances) - 1 for seen in clients.seen(at)) <= 2.5 * ROLLED
        ordered = ordered_per_s(servers)
        assert max(ordered) <= PACE_PER_S + 1, f"{ordered}: a fraction of a move is carried over"


def check_never_moved(servers: OwnServers, name: str) -> None:
    """Assert that with on-move=never a new instance gets newcomers only, and that a drain waits for its deadline."""
    with servers.clients(MOVED // 2, CALM_MS) as clients:
        try:
            servers.start(name)
            servers.wait_active(name)
            with servers.clients(CLIENTS, CALM_MS) as newcomers:
                wait_for(lambda: servers.gateway.connections()[name] > 0, f"a newcomer at {name}")
                servers.gateway.ringway("rebalance")
                newcomers.settle()
                check_undisturbed(newcomers.drivers)
            check_undisturbed(clients.drivers)
            assert not any(node["moved"] for node in servers.gateway.ask("nodes"))
            loss = fullest(clients)
            with drained(servers, clients, loss, within="5s"):
                clients.settle()
                for driver in loss.hit:
                    seen = driver.seen(loss.at)
                    assert (seen.closes, seen.reconnects, seen.gave_up) == (["1012 drained"], 1, [])
                    check_recovered(servers, seen)
                check_undisturbed(loss.others)
        finally:
            servers.remove(name)


def check_moved_once(servers: OwnServers, seen: Seen) -> None:
    """Assert that a client was moved once, unseen or by one close as `on-move` says, and has lost nothing."""
    if servers.moves_unseen:
        assert (seen.closes, seen.reconnects, seen.greetings) == ([], 0, 1)
    else:
        [close] = seen.closes
        assert close.startswith(servers.stack.moved)
        assert seen.reconnects == 1
    assert len(seen.instances) == 2, seen.instances
    assert (seen.lost, seen.waiting, seen.gave_up) == (0, 0, [])
    assert seen.silent_s <= servers.stack.silent_s_max


def check_undisturbed(drivers: Iterable[Driver]) -> None:
    """Assert that clients have noticed nothing since they were placed."""
    for driver in drivers:
        seen = driver.seen()
        assert seen.instances == [seen.instance]
        assert (seen.lost, seen.reconnects, seen.greetings, seen.closes, seen.errors) == (0, 0, 0, [], [])
