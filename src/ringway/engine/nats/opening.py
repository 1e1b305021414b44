"""Opening of NATS: finds a reachable server, connects, and checks that JetStream is on."""

import asyncio
import random
import secrets
from collections.abc import Sequence
from contextlib import suppress

from ringway.engine.address import check_cluster
from ringway.engine.condition import Condition
from ringway.engine.nats.connection import NatsConnection
from ringway.engine.nats.connector import Greeted, NatsConnector
from ringway.engine.nats.engine import NatsEngine
from ringway.engine.nats.failure import FAILURES, explain
from ringway.engine.nats.jetstream_request import JetStreamRequest
from ringway.engine.nats.server_pool import NatsAddress, ServerPool
from ringway.engine.nats.stream import HistorySettings
from ringway.engine.nats.url import PORT, NatsUrl, read_url
from ringway.errors import ConfigError, EngineAway, EngineError, EngineUnsuitable
from ringway.net import connector
from ringway.tasks import Tasks, leave_to_waiter

CONNECT_S = 2.0
"""The deadline of one attempt to connect."""

POLL_S = 0.05
"""The pause between attempts at a server that starts."""

JETSTREAM_STARTS = 10008
"""NATS's error code for JetStream that is on, and has no leader yet."""

HISTORY = HistorySettings()


async def open_nats(
    url: str,
    *,
    cluster: str = "ringway",
    name: str,
    wait_s: float = 5.0,
    history: HistorySettings = HISTORY,
    read_pause_s: float = 0.0,
) -> NatsEngine:
    """Connect to the NATS server or cluster at `url` as `name`, and return it as an engine.

    Members of one cluster give the same `cluster`, and the same settings of `history`. Waits up to `wait_s` for a
    server that starts. With a `read_pause_s` above 0 the connection pauses so long after each read (`PacedReading`).
    Raise `ConfigError` if `url` or `cluster` is wrong, `EngineAway` if no server can be reached, and
    `EngineUnsuitable` if a server refuses the login or has no JetStream. No message contains a password.
    """
    where = read_url(url)
    check_cluster(cluster)
    greeter = NatsConnector(where, name, read_pause_s)
    deadline = asyncio.get_running_loop().time() + wait_s
    condition = Condition(str(where))
    pool = ServerPool(where.addresses, PORT, random.Random())
    greeted = await _greeted(greeter, deadline)
    connection = NatsConnection(greeted, greeter, pool, condition)
    try:
        jetstream = JetStreamRequest(connection, f"rw.{cluster}.inbox.{secrets.token_hex(8)}.said")
        await _check(jetstream, where, deadline)
        return NatsEngine(connection, jetstream, condition, cluster, history)
    except BaseException:
        await connection.close(0)
        raise


async def _greeted(greeter: NatsConnector, deadline: float) -> Greeted:
    """Return a connection to the first server that admits this client. Raise the last server's error at `deadline`."""
    while True:
        try:
            return await _connect(greeter, await _listening(greeter.where, deadline), deadline)
        except EngineAway:
            if asyncio.get_running_loop().time() >= deadline:
                raise
        await asyncio.sleep(POLL_S)


async def _listening(where: NatsUrl, deadline: float) -> list[NatsAddress]:
    """Return the servers that accept connections, as soon as one does."""
    while True:
        problems = await _knock_at_each(where.addresses)
        if "" in problems:
            both = zip(where.addresses, problems, strict=True)
            return [NatsAddress(*address) for address, problem in both if not problem]
        if asyncio.get_running_loop().time() >= deadline:
            raise EngineAway(f"no NATS server can be reached at {where} ({problems[0]}); start one, or correct the URL")
        await asyncio.sleep(POLL_S)


async def _knock_at_each(addresses: Sequence[tuple[str, int]]) -> list[str]:
    """Return the problems that prevent connections to each of `addresses`.

    When one server accepts, the others have `POLL_S` more: members must spread over all reachable servers.
    """
    problems = ["is not waited for"] * len(addresses)

    async def knock(place: int) -> None:
        problems[place] = await _knock(*addresses[place])

    tasks = Tasks(leave_to_waiter)
    waiting = {tasks.spawn(knock(place), name=f"nats knock {place}") for place in range(len(addresses))}
    try:
        while waiting and "" not in problems:
            _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if waiting:
            await asyncio.wait(waiting, timeout=POLL_S)
    finally:
        await tasks.aclose()
    return problems


async def _knock(host: str, port: int) -> str:
    """Return the problem that prevents a connection, or '' if it is accepted."""
    try:
        transport, _ = await connector().open(asyncio.Protocol, host, port, CONNECT_S)
    except OSError as error:  # a timeout is one
        return str(error) or "timed out"
    transport.close()
    return ""


async def _connect(greeter: NatsConnector, listening: list[NatsAddress], deadline: float) -> Greeted:
    """Return a connection to the first server that admits this client; raise the last server's error if all fail."""
    random.shuffle(listening)
    problem: EngineError = EngineAway(f"NATS at {greeter.where} cannot be reached; retry")
    for server in listening:
        try:
            async with asyncio.timeout(min(CONNECT_S, max(1.0, deadline - asyncio.get_running_loop().time()))):
                return await greeter.connect(server)
        except ConfigError:
            raise
        except FAILURES as error:
            problem = explain(error, greeter.where)
    raise problem


async def _check(jetstream: JetStreamRequest, where: NatsUrl, deadline: float) -> None:
    """Raise `EngineUnsuitable` if JetStream is off: leases live there. A cluster that starts gets time."""
    while True:
        with suppress(EngineAway):
            error = await jetstream.account_error()
            if error is None:
                return
            if error.err_code != JETSTREAM_STARTS:
                raise EngineUnsuitable(
                    f"NATS at {where} has JetStream off; start it with `nats-server -js`, or enable it for the account"
                )
        if asyncio.get_running_loop().time() >= deadline:
            raise EngineAway(f"JetStream of NATS at {where} does not answer")
        await asyncio.sleep(POLL_S)
