"""NATS as an engine: one connection for each process, kept up for ever. `open_nats` is the way in."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import structlog
from nats.errors import Error as NatsError
from nats.js.errors import APIError

from ringway.engine.address import check_cluster
from ringway.engine.nats_broker import NatsBroker
from ringway.engine.nats_bus import NatsBus
from ringway.engine.nats_history import NatsHistory
from ringway.engine.nats_lease import NatsLease
from ringway.engine.nats_registry import NatsRegistry
from ringway.engine.nats_stream import HistorySettings
from ringway.engine.nats_url import NatsUrl, read_url
from ringway.engine.nats_wire import Wire
from ringway.engine.receiver import call_each
from ringway.errors import EngineAway, EngineUnsuitable

RECONNECT_S = 0.2
"""The pause between attempts to reconnect to the same server."""

CONNECT_S = 2.0
"""How long one attempt to connect may take."""

PING_S = 2.0
"""How often the connection is tested; one that is dead without a word is noticed after three of these."""

POLL_S = 0.05
"""The pause between looks at a server that starts."""

JETSTREAM_STARTS = 10008
"""NATS's error code for JetStream that is on, and has no leader yet."""

HISTORY = HistorySettings()

_log = structlog.get_logger()


class NatsEngine:
    """The five ports over one connection to NATS; made by `open_nats`."""

    def __init__(self, wire: Wire, cluster: str, history: HistorySettings) -> None:
        self._wire = wire
        prefix = f"rw.{cluster}"
        self.broker = NatsBroker(wire, prefix)
        self.registry = NatsRegistry(wire, prefix)
        self.bus = NatsBus(wire, prefix)
        self.lease = NatsLease(wire, cluster)
        self.history = NatsHistory(wire, cluster, prefix, history)
        self.on_return: list[Callable[[], None]] = []
        self.history.on_doubt = self._tell
        wire.on_loss = self._lost
        wire.on_return = self._returned

    @property
    def up(self) -> bool:
        """Whether NATS can be reached at the moment."""
        return self._wire.up

    def _lost(self) -> None:
        self.lease.forget()
        self.history.lost()

    def _returned(self) -> None:
        self.registry.returned()
        self.history.returned()
        self._tell()

    def _tell(self) -> None:
        call_each(self.on_return)

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
    deadline = asyncio.get_running_loop().time() + wait_s
    await _listening(where, deadline)
    wire = Wire()
    try:
        await _connect(wire, where, cluster, name)
        await _check(wire, where, deadline)
    except BaseException:
        await wire.close()
        raise
    return NatsEngine(wire, cluster, history)


async def _listening(where: NatsUrl, deadline: float) -> None:
    """Return when one of the servers accepts connections: nats-py's own first attempts are seconds apart."""
    while True:
        problems = [await _knock(host, port) for host, port in where.addresses]
        if "" in problems:
            return
        if asyncio.get_running_loop().time() >= deadline:
            raise EngineAway(f"no NATS server can be reached at {where} ({problems[0]}); start one, or correct the URL")
        await asyncio.sleep(POLL_S)


async def _knock(host: str, port: int) -> str:
    """Return what keeps a connection from being accepted, or nothing where it is."""
    try:
        async with asyncio.timeout(CONNECT_S):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError) as error:
        return str(error) or "timed out"
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return ""


async def _connect(wire: Wire, where: NatsUrl, cluster: str, name: str) -> None:
    problems: list[str] = []

    async def failed(error: Exception) -> None:
        problems.append(str(error) or type(error).__name__)
        _log.debug("nats connection problem", error=problems[-1])
        del problems[:-8]

    async def lost() -> None:
        if not wire.is_closed:
            _log.warning("engine away", engine=str(where))

    async def returned() -> None:
        _log.info("engine back", engine=str(where))
        wire.returned()

    try:
        async with asyncio.timeout(2 * CONNECT_S):
            await wire.connect(
                list(where.servers),
                name=name,
                user=where.user,
                password=where.password,
                token=where.token,
                inbox_prefix=f"rw.{cluster}.inbox",
                error_cb=failed,
                disconnected_cb=lost,
                reconnected_cb=returned,
                connect_timeout=CONNECT_S,  # type: ignore[arg-type]
                reconnect_time_wait=RECONNECT_S,  # type: ignore[arg-type]
                max_reconnect_attempts=-1,
                ping_interval=PING_S,  # type: ignore[arg-type]
                pending_size=0,
                allow_reconnect=False,  # the first refusal is an answer; from then on a connection is kept
            )
    except TimeoutError:
        reason = problems[-1] if problems else "timed out"
        raise EngineAway(f"NATS at {where} does not answer ({reason})") from None
    except NatsError as error:
        remedy = "check user and password" if "uthoriz" in str(error) else "is it a NATS server?"
        raise EngineUnsuitable(f"{where} refused the connection ({error}); {remedy}") from None
    except OSError as error:
        raise EngineAway(f"NATS at {where} cannot be reached ({error})") from None
    wire.options["allow_reconnect"] = True


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
