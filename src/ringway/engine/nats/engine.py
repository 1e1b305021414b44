"""NATS as an engine: one connection for each process, kept up for ever. `open_nats` is the way in."""

import asyncio
import random
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from nats.errors import Error as NatsError
from nats.js.errors import APIError

from ringway.engine.address import check_cluster
from ringway.engine.condition import Condition
from ringway.engine.listeners import call_listeners
from ringway.engine.nats.broker import NatsBroker
from ringway.engine.nats.bus import NatsBus
from ringway.engine.nats.connection import Wire
from ringway.engine.nats.failure import explain, lacks_right
from ringway.engine.nats.history import NatsHistory
from ringway.engine.nats.jetstream_request import Inquiry
from ringway.engine.nats.lease import NatsLease, Storage
from ringway.engine.nats.login import login_options
from ringway.engine.nats.registry import NatsRegistry
from ringway.engine.nats.stream import HistorySettings
from ringway.engine.nats.url import NatsUrl, read_url
from ringway.errors import EngineAway, EngineError, EngineUnsuitable
from ringway.net import connector

CONNECT_S = 2.0
"""How long one attempt to connect may take."""

PING_S = 2.0
"""How often the connection is tested; one that is dead without a word is noticed after three of these."""

RECONNECT_S = 0.2
"""The least pause between attempts to reconnect to the same server."""

POLL_S = 0.05
"""The pause between looks at a server that starts."""

JETSTREAM_STARTS = 10008
"""NATS's error code for JetStream that is on, and has no leader yet."""

HISTORY = HistorySettings()


class NatsEngine:
    """The five ports over one connection to NATS; made by `open_nats`."""

    def __init__(self, wire: Wire, condition: Condition, cluster: str, history: HistorySettings) -> None:
        self._wire = wire
        self._condition = condition
        prefix = f"rw.{cluster}"
        self.broker = NatsBroker(wire, prefix)
        self.registry = NatsRegistry(wire, prefix)
        self.bus = NatsBus(wire, prefix)
        self.history = NatsHistory(wire, cluster, prefix, history, condition)
        self._lease_inquiry = Inquiry(wire, f"{prefix}.inbox.{secrets.token_hex(8)}.lease")
        elsewhere: Storage = "memory" if history.storage == "file" else "file"
        self.lease = NatsLease(wire, cluster, self._lease_inquiry, condition, elsewhere)
        self.on_return: list[Callable[[], None]] = []
        self.history.on_doubt = self._tell
        wire.on_loss = self._lost
        wire.on_return = self._returned

    @property
    def up(self) -> bool:
        """Whether NATS can be reached at the moment."""
        return self._wire.up

    @property
    def problem(self) -> str:
        """What is wrong with NATS, with the remedy; empty where nothing is known to be."""
        return self._condition.problem

    def _lost(self) -> None:
        self.lease.forget()
        self._lease_inquiry.lost()
        self.history.lost()

    def _returned(self) -> None:
        self.registry.returned()
        self.history.returned()
        self._tell()

    def _tell(self) -> None:
        call_listeners(self.on_return)

    async def close(self) -> None:
        """End what is served, send what was accepted, and close the connection. Idempotent."""
        await self.bus.close()
        await self.history.close()
        if self._wire.up:
            with suppress(EngineAway):
                await self._wire.outbox.taken()
        with suppress(TimeoutError):
            async with asyncio.timeout(CONNECT_S):
                await self._wire.close()


async def open_nats(
    url: str, *, cluster: str = "ringway", name: str, wait_s: float = 5.0, history: HistorySettings = HISTORY
) -> NatsEngine:
    """Connect to the NATS server or cluster at `url` as `name`, and return it as an engine.

    Members that shall find each other give the same `cluster`, and the same settings of `history`. Waits up to `wait_s`
    for a server that starts.
    Raise `ConfigError` where `url` or `cluster` is wrong, `EngineAway` where no server can be reached, and
    `EngineUnsuitable` where one refuses us or has no JetStream. No message shows a password.
    """
    where = read_url(url)
    check_cluster(cluster)
    options = {"tls": where.tls_context(), "tls_handshake_first": where.tls_first, **login_options(where)}
    options |= {"name": name, "inbox_prefix": f"rw.{cluster}.inbox"}
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait_s
    condition = Condition(str(where))
    while True:
        try:
            wire = await _connect(where, await _listening(where, deadline), options, condition, deadline)
            try:
                await _check(wire, where, deadline)
            except BaseException:
                await wire.abandon()
                raise
        except EngineAway:
            if loop.time() >= deadline:
                raise
        else:
            return NatsEngine(wire, condition, cluster, history)
        await asyncio.sleep(POLL_S)


async def _listening(where: NatsUrl, deadline: float) -> list[str]:
    """Return the servers that accept connections, when one does: nats-py's own first attempts are seconds apart."""
    while True:
        problems = await _knock_at_each(where.addresses)
        if "" in problems:
            return [server for server, problem in zip(where.servers, problems, strict=True) if not problem]
        if asyncio.get_running_loop().time() >= deadline:
            raise EngineAway(f"no NATS server can be reached at {where} ({problems[0]}); start one, or correct the URL")
        await asyncio.sleep(POLL_S)


async def _knock_at_each(addresses: Sequence[tuple[str, int]]) -> list[str]:
    """Return what keeps each of `addresses` from accepting connections.

    When one accepts, the others have `POLL_S` more: members are to spread over all servers that are there.
    """
    problems = ["is not waited for"] * len(addresses)

    async def knock(place: int) -> None:
        problems[place] = await _knock(*addresses[place])

    tasks = {asyncio.create_task(knock(place)) for place in range(len(addresses))}
    try:
        while tasks and "" not in problems:
            _, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if tasks:
            _, tasks = await asyncio.wait(tasks, timeout=POLL_S)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return problems


async def _knock(host: str, port: int) -> str:
    """Return what keeps a connection from being accepted, or nothing where it is."""
    try:
        _, writer = await connector().streams(host, port, CONNECT_S)
    except OSError as error:  # a timeout is one
        return str(error) or "timed out"
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return ""


async def _connect(
    where: NatsUrl, listening: list[str], options: Mapping[str, Any], condition: Condition, deadline: float
) -> Wire:
    """Return a connection to the first of the servers that takes us; raise what the last one said where none does."""
    random.shuffle(listening)
    problem: EngineError = EngineAway(f"NATS at {where} cannot be reached; retry")
    for server in listening:
        wire = Wire(tls_only=where.tls)
        others = [other for other in where.servers if other != server]
        try:
            async with asyncio.timeout(min(CONNECT_S, max(1.0, deadline - asyncio.get_running_loop().time()))):
                await _connect_first(wire, [server, *others], where, options, condition)
        except (NatsError, OSError, TimeoutError) as error:
            await wire.abandon()
            problem = explain(error, where)
        except BaseException:
            await wire.abandon()
            raise
        else:
            return wire
    raise problem


async def _connect_first(
    wire: Wire, servers: list[str], where: NatsUrl, options: Mapping[str, Any], condition: Condition
) -> None:
    """Connect `wire` to the first of `servers`, and let it keep that connection, or one to another of them."""

    async def failed(error: Exception) -> None:
        if wire.options["allow_reconnect"]:  # else it is raised
            condition.on_attempt_failed(explain(error, where))

    async def lost() -> None:
        if not wire.is_closed:
            condition.on_lost()

    async def returned() -> None:
        condition.on_returned()
        wire.returned()

    await wire.connect(
        servers,
        **options,
        error_cb=failed,
        disconnected_cb=lost,
        reconnected_cb=returned,
        connect_timeout=CONNECT_S,  # type: ignore[arg-type]
        reconnect_time_wait=RECONNECT_S,  # type: ignore[arg-type]
        max_reconnect_attempts=-1,
        ping_interval=PING_S,  # type: ignore[arg-type]
        pending_size=0,
        allow_reconnect=False,  # the first refusal is an answer
        dont_randomize=True,
    )
    condition.on_returned()
    wire.pause_s = condition.pause_s
    wire.on_refusal = lambda text: condition.on_refused(text, lacks_right(text, where))
    wire.options |= {"allow_reconnect": True, "dont_randomize": False}


async def _check(wire: Wire, where: NatsUrl, deadline: float) -> None:
    """Raise `EngineUnsuitable` where JetStream is off: leases live there. A cluster that starts gets time."""
    while True:
        try:
            async with asyncio.timeout(CONNECT_S):
                await wire.jetstream().account_info()
        except (TimeoutError, APIError) as error:
            if isinstance(error, APIError) and error.err_code != JETSTREAM_STARTS:
                raise EngineUnsuitable(
                    f"NATS at {where} has JetStream off; start it with `nats-server -js`, or enable it for the account"
                ) from None
        except NatsError as error:
            raise EngineAway(f"NATS at {where} was lost again ({error})") from None
        else:
            return
        if asyncio.get_running_loop().time() >= deadline:
            raise EngineAway(f"JetStream of NATS at {where} does not answer")
        await asyncio.sleep(POLL_S)
