"""SNMP v2c and v3: `snmp://{host}:161/cpu`, `/memory`, `/load`, or any OID. Needs the extra `snmp` (pysnmp).

Three values are ready-made, from the UCD and HOST-RESOURCES MIBs that Debian's snmpd and most other agents have:

- `cpu`: the busy share of the processors: 1 - ssCpuIdle, or the mean of hrProcessorLoad if the agent lacks it;
- `memory`: the used share of the memory, without buffers and cache, which the system frees when it needs them;
- `load`: laLoad, the length of the run queue over one minute. It is not divided by the number of processors, so the
  threshold must be set accordingly.

Metrics with the same credentials share pysnmp's engines: one for all agents of version 2c, and one for each agent of
version 3 (60 ms to make, 0.8 MiB). pysnmp 7.1 does not recover from the restart of a version 3 agent: it keeps the
agent's old clock and id, and all later requests time out. So an engine whose agent failed twice in a row is replaced,
which must not affect other agents.
"""

import asyncio
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from ringway.collect.collector import CollectFailed, Facts, check_address, check_template, fill, read_source
from ringway.errors import ConfigError
from ringway.net import connector

if TYPE_CHECKING:
    from collections.abc import Sequence

PORT = 161
KEY_LENGTH_MIN = 8  # RFC 3414, 11.2
PROCESSORS_MAX = 64
"""Values of hrProcessorLoad in one request; more would not fit in a datagram."""

FAILURES_MAX = 2
"""Failures in a row after which the engine of a version 3 agent is replaced."""

UNUSED_S = 300.0
"""After this time without a request the engine of an agent is dropped: its node has left."""

CPU_IDLE = "1.3.6.1.4.1.2021.11.11.0"
PROCESSOR_LOAD = "1.3.6.1.2.1.25.3.3.1.2"
MEMORY_TOTAL = "1.3.6.1.4.1.2021.4.5.0"
MEMORY_FREE = "1.3.6.1.4.1.2021.4.6.0"
MEMORY_BUFFER = "1.3.6.1.4.1.2021.4.14.0"
MEMORY_CACHED = "1.3.6.1.4.1.2021.4.15.0"
LOAD = "1.3.6.1.4.1.2021.10.1.3.1"

AUTH = {
    "MD5": "usmHMACMD5AuthProtocol",
    "SHA": "usmHMACSHAAuthProtocol",
    "SHA224": "usmHMAC128SHA224AuthProtocol",
    "SHA256": "usmHMAC192SHA256AuthProtocol",
    "SHA384": "usmHMAC256SHA384AuthProtocol",
    "SHA512": "usmHMAC384SHA512AuthProtocol",
}
PRIVACY = {"AES": "usmAesCfb128Protocol", "AES192": "usmAesCfb192Protocol", "AES256": "usmAesCfb256Protocol"}

_OID = re.compile(r"\.?\d+(\.\d+){2,}")


Address = tuple[str, int]


class SnmpCredentials(NamedTuple):
    """The login at agents: a `community` (v2c), or a `user` (v3) with up to two keys."""

    community: str = ""
    user: str = ""
    auth: str = "SHA256"
    auth_key: str = ""
    priv: str = "AES"
    priv_key: str = ""

    def check(self) -> None:
        """Raise `ConfigError` with all problems."""
        problems: list[str] = []
        if bool(self.community) == bool(self.user):
            problems.append("give either community= (version 2c) or user= (version 3)")
        if self.community and (self.auth_key or self.priv_key):
            problems.append("keys belong to version 3; give user= in place of community=")
        if self.priv_key and not self.auth_key:
            problems.append("priv_key= needs auth_key= beside it: nothing is encrypted that is not authenticated")
        for option, value, known in (("auth", self.auth, AUTH), ("priv", self.priv, PRIVACY)):
            if value not in known:
                problems.append(f"{option}={value} is unknown; choose one of {', '.join(known)}")
        for option, key in (("auth_key", self.auth_key), ("priv_key", self.priv_key)):
            if key and len(key) < KEY_LENGTH_MIN:
                problems.append(f"the {option} has {len(key)} characters; it must have {KEY_LENGTH_MIN} at least")
        if problems:
            raise ConfigError(*problems)


class _Engine:
    """An engine of pysnmp."""

    __slots__ = ("failures", "inner", "used_at")

    def __init__(self, inner: Any, now: float) -> None:
        self.inner = inner
        self.used_at = now
        self.failures = 0  # in a row


class SnmpSession:
    """The engines of pysnmp for the agents with the same `credentials`. Close it when done."""

    def __init__(self, credentials: SnmpCredentials) -> None:
        credentials.check()
        self.credentials = credentials
        self._api, self._error = _import_api()
        self._engines: dict[Address | None, _Engine] = {}
        self._making = asyncio.Lock()

    async def get_values(self, address: Address, oids: "Sequence[str]", timeout_s: float) -> list[float | None]:
        """Return the numbers at `oids`, None for each that the agent lacks; raise `CollectFailed`."""
        binds = await self._ask("get_cmd", (), address, oids, timeout_s)
        return [_number(oid, value) for oid, (_, value) in zip(oids, binds, strict=True)]

    async def get_column(self, address: Address, oid: str, timeout_s: float) -> list[float]:
        """Return the numbers in the table's column `oid` that fit in one answer. Raise `CollectFailed`."""
        binds = await self._ask("bulk_cmd", (0, PROCESSORS_MAX), address, [oid], timeout_s)
        numbers = [_number(oid, value) for name, value in binds if str(name).startswith(f"{oid}.")]
        return [number for number in numbers if number is not None]

    async def close(self) -> None:
        """Close the sockets. Idempotent."""
        engines, self._engines = self._engines, {}
        for engine in engines.values():
            engine.inner.close_dispatcher()
        await asyncio.sleep(0)  # pysnmp's timer tasks end in the next turn of the loop

    async def _ask(
        self, command: str, counts: tuple[int, ...], address: Address, oids: "Sequence[str]", timeout_s: float
    ) -> "Sequence[tuple[Any, Any]]":
        api = self._api
        target = await self._target(address, timeout_s)
        wanted = [api.ObjectType(api.ObjectIdentity(oid)) for oid in oids]
        engine = await self._engine(address)
        engine.failures += 1  # also if the caller's deadline ends the request
        try:
            failed, status, index, binds = await getattr(api, command)(
                engine.inner, self._identity(), target, api.ContextData(), *counts, *wanted, lookupMib=False
            )
        except self._error as error:
            raise CollectFailed(f"the agent cannot be asked: {error}") from None
        if failed:
            raise CollectFailed(str(failed))
        engine.failures = 0
        if status:
            raise CollectFailed(f"the agent answered {status.prettyPrint()} for {oids[max(int(index) - 1, 0)]}")
        return list(binds)

    async def _engine(self, address: Address) -> _Engine:
        """Return the engine for the agent at `address`."""
        key = address if self.credentials.user else None
        async with self._making:
            now = asyncio.get_running_loop().time()
            engine = self._engines.get(key)
            if engine is None or (key is not None and engine.failures >= FAILURES_MAX):
                made = await asyncio.to_thread(self._api.SnmpEngine)  # reads files
                if engine is not None:
                    engine.inner.close_dispatcher()
                engine = self._engines[key] = _Engine(made, now)
                self._drop_unused(now)
            engine.used_at = now
            return engine

    def _drop_unused(self, now: float) -> None:
        for key in [key for key, engine in self._engines.items() if now - engine.used_at > UNUSED_S]:
            self._engines.pop(key).inner.close_dispatcher()

    async def _target(self, address: Address, timeout_s: float) -> Any:
        host, port = address
        ip = await connector().address(host)
        transport = self._api.Udp6TransportTarget if ":" in ip else self._api.UdpTransportTarget
        # Two tries, a little within the caller's deadline: datagrams get lost.
        return await transport.create((ip, port), timeout=0.45 * timeout_s, retries=1)

    def _identity(self) -> Any:
        api, who = self._api, self.credentials
        if who.community:
            return api.CommunityData(who.community, mpModel=1)
        return api.UsmUserData(
            who.user,
            who.auth_key or None,
            who.priv_key or None,
            authProtocol=getattr(api, AUTH[who.auth]) if who.auth_key else None,
            privProtocol=getattr(api, PRIVACY[who.priv]) if who.priv_key else None,
        )


class SnmpCollector:
    """Reads, at the agents at `url`, the value that its path names."""

    def __init__(self, url: str, session: SnmpSession, timeout_s: float) -> None:
        self._url = check_address(url, {"snmp": PORT})
        self.session = session
        self._timeout_s = timeout_s
        self._what = read_source(check_template(url), {"snmp": PORT}).path.strip("/")
        if self._what not in ("cpu", "memory", "load") and not _OID.fullmatch(self._what):
            raise ConfigError(f"the source {url!r} must end in /cpu, /memory, /load or an OID such as /{LOAD}")

    async def collect(self, node: Facts) -> float:
        """Return the number."""
        source = read_source(fill(self._url, node), {"snmp": PORT})
        address = (source.host, source.port)
        if self._what == "cpu":
            return await self._cpu(address)
        if self._what == "memory":
            return await self._memory(address)
        oid = LOAD if self._what == "load" else self._what.removeprefix(".")
        (number,) = await self.session.get_values(address, [oid], self._timeout_s)
        return _present(oid, number)

    async def close(self) -> None:
        """Close the session, which may be shared: closing is idempotent."""
        await self.session.close()

    async def _cpu(self, address: Address) -> float:
        (idle,) = await self.session.get_values(address, [CPU_IDLE], self._timeout_s)
        if idle is not None:
            return 1.0 - idle / 100.0
        busy = await self.session.get_column(address, PROCESSOR_LOAD, self._timeout_s)
        if not busy:
            raise CollectFailed(
                "the agent knows neither ssCpuIdle nor hrProcessorLoad; after its start it takes a minute"
            )
        return sum(busy) / len(busy) / 100.0

    async def _memory(self, address: Address) -> float:
        oids = [MEMORY_TOTAL, MEMORY_FREE, MEMORY_BUFFER, MEMORY_CACHED]
        total, free, buffer, cached = await self.session.get_values(address, oids, self._timeout_s)
        whole = _present(MEMORY_TOTAL, total)
        if whole <= 0:
            raise CollectFailed(f"the agent says that the memory has {whole:g} KiB")
        return 1.0 - (_present(MEMORY_FREE, free) + (buffer or 0.0) + (cached or 0.0)) / whole


def _import_api() -> tuple[Any, type[Exception]]:
    """Return pysnmp's asyncio interface and the root of its errors; raise `ConfigError` if it is not installed."""
    try:
        from pysnmp.error import PySnmpError
        from pysnmp.hlapi.v3arch import asyncio as api
    except ImportError:
        raise ConfigError("SNMP needs the extra snmp; install it: pip install 'ringway[server,snmp]'") from None
    return api, PySnmpError


def _number(oid: str, value: Any) -> float | None:
    """Return `value` as a number, None if the agent has no value at `oid`. Agents write fractions as texts."""
    if type(value).__name__ in ("NoSuchObject", "NoSuchInstance", "EndOfMibView", "Null"):
        return None
    text = value.prettyPrint()
    try:
        return float(text)
    except ValueError:
        raise CollectFailed(f"the value at {oid} is no number but {text[:40]!r}") from None


def _present(oid: str, number: float | None) -> float:
    if number is None:
        raise CollectFailed(f"the agent has nothing at {oid}")
    return number
