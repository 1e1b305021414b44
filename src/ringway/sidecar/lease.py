"""The registration of one server, kept up: registered while the server is well, renewed, drained, ended."""

import asyncio
import secrets
from random import Random
from typing import Any

from ringway.core.backoff import next_delay_s
from ringway.errors import ConfigError, ProtocolError
from ringway.logger import get_logger
from ringway.protocol.registration import DrainOrder, Renewed
from ringway.protocol.server_address import ServerAddress
from ringway.sidecar.held_name import RENEWALS, refuse_held_name
from ringway.sidecar.registrar import Registrar, RegistrarAway, RegistrarRefused
from ringway.sidecar.server_check import ServerFinding, ServerHealth, check_server
from ringway.types import NodeState

STARTING_S = 0.1
"""The period of checks until the server answers for the first time."""

SLOW_S = 3.0
"""The log says after this time that the server does not answer yet."""

LATE_S = 30.0
"""The log warns after this time that the server does not answer."""

RETRY_CAP_S = 5.0
DRAIN_POLL_S = 0.5
QUIET_S = 1.5
"""A drained server must be empty for this time: reports of gateways are up to a second old."""

LEAVE_S = 4.0
"""The time for the last request to the gateway."""

_log = get_logger()


class ServerLease:
    """The registration of the server `name`, which is checked at `address`. `fields` are those of the registration."""

    def __init__(
        self,
        name: str,
        fields: dict[str, Any],
        address: ServerAddress,
        registrar: Registrar,
        check_timeout_s: float,
        rng: Random,
    ) -> None:
        self.name = name
        self._fields = fields
        self._address = address
        self._registrar = registrar
        self._check_timeout_s = check_timeout_s
        self._rng = rng
        self._incarnation = ""
        self._registered = False
        self._was_registered = False
        self._told = ""
        self._draining = False

    @property
    def was_registered(self) -> bool:
        """True if a gateway has ever accepted the registration."""
        return self._was_registered

    @property
    def url(self) -> str:
        """The URL at which gateways reach the server."""
        return str(self._fields["url"])

    async def refuse_held_name(self) -> None:
        """Raise `ConfigError` if something else renews a registration of the server. Call it before all else."""

        async def answers() -> bool:
            return (await self._check()).health is not ServerHealth.ABSENT

        await refuse_held_name(self._registrar, self.name, self.url, answers)

    def begin_life(self) -> None:
        """Give the server a new incarnation: it has been started again."""
        self._incarnation = secrets.token_hex(8)
        self._registered = False

    async def run(self) -> None:
        """Register when the server answers, and renew while it does, until cancelled."""
        if not self._incarnation:
            self.begin_life()
        attempt = 0
        while True:
            if not self._registered:
                await self._until_well()
            try:
                pause_s = await self._renew() if self._registered else await self._register()
                attempt = 0
            except (RegistrarAway, RegistrarRefused, ConfigError, ProtocolError) as error:
                pause_s = self._on_failure(error, attempt)
                attempt += 1
            await asyncio.sleep(pause_s)

    async def drain(self, within_s: float) -> bool:
        """Lead the connections away, and return when none is left: True, or False when the time is over."""
        loop = asyncio.get_running_loop()
        ends_at, empty_since = loop.time() + within_s, None
        if not self._registered or not await self._ask_drain(within_s):
            return False
        told = -1
        while (now := loop.time()) < ends_at:
            left = await self._left()
            empty_since = None if left != 0 else empty_since if empty_since is not None else now
            if empty_since is not None and now - empty_since >= QUIET_S:
                return True
            if left is not None and left != told:
                told = left
                _log.info("connections are led away", backend=self.name, left=left, time_s=round(ends_at - now, 1))
            await asyncio.sleep(min(DRAIN_POLL_S, max(0.0, ends_at - loop.time())))
        _log.warning("the time for the drain is over", backend=self.name, left=told if told >= 0 else "unknown")
        return False

    async def end(self, *, gone: bool) -> None:
        """End the registration, if there is one; quiet if the gateway does not answer: the lease will expire."""
        if not self._registered:
            return
        self._registered = False
        try:
            async with asyncio.timeout(LEAVE_S):
                await self._registrar.leave(self.name, self._incarnation, gone=gone)
        except (RegistrarAway, RegistrarRefused, ConfigError, ProtocolError, TimeoutError) as error:
            _log.warning("the registration ends by its lease", backend=self.name, why=str(error))

    async def _until_well(self) -> None:
        """Return when the server answers its check."""
        loop = asyncio.get_running_loop()
        began, told, warned = loop.time(), set[str](), False
        while not (found := await self._check()).is_well:
            waited_s = loop.time() - began
            if waited_s > LATE_S and not warned:
                warned = True
                _log.warning("the server does not answer its check", **self._describe(found))
            elif waited_s > SLOW_S and found.why not in told:
                told.add(found.why)
                _log.info("the server does not answer its check yet", **self._describe(found))
            await asyncio.sleep(STARTING_S)

    def _describe(self, found: ServerFinding) -> dict[str, str]:
        """Return the fields of the log for a check that failed."""
        if found.health is ServerHealth.ABSENT:
            remedy = "start the server at this URL, or correct the URL"
        elif self._fields.get("check"):
            remedy = "correct --check, the URL, or the server"
        else:
            remedy = "correct the URL, or the server"
        return {"backend": self.name, "url": self.url, "why": found.why, "rule": found.rule, "remedy": remedy}

    async def _check(self) -> ServerFinding:
        return await check_server(self._address, str(self._fields.get("check", "")), self._check_timeout_s)

    async def _register(self) -> float:
        """Register, and return the time to the first renewal."""
        granted = await self._registrar.register(self.name, self._fields | {"incarnation": self._incarnation})
        self._registered = self._was_registered = True
        self._told = ""
        _log.info("registered", backend=self.name, url=self._fields["url"], at=self._registrar.at)
        if granted.warning:
            _log.warning("a registered server has a problem", backend=self.name, why=granted.warning)
        return granted.ttl_s / RENEWALS

    async def _renew(self) -> float:
        """Renew the lease if the server is well, and return the time to the next renewal.

        A server that is ill is not renewed, and dies by its lease unless it is well again before. One that is absent
        has ended: what listens there next is a new life.
        """
        found = await self._check()
        if not found.is_well:
            self._tell("the server does not answer its check; its lease is not renewed", **self._describe(found))
            if found.health is ServerHealth.ABSENT:
                await self.end(gone=True)
                self.begin_life()
            return STARTING_S
        renewed = await self._registrar.renew(self.name, self._incarnation)
        self._told = ""
        self._on_state(renewed)
        return renewed.ttl_s / RENEWALS

    async def _ask_drain(self, within_s: float) -> bool:
        """Ask for a drain; if the time is too short, force it: this process has no more time. Return True if it
        began."""
        for force in (False, True):
            order = DrainOrder(within_s=within_s, force=force, incarnation=self._incarnation)
            try:
                await self._registrar.drain(self.name, order)
            except RegistrarRefused as error:
                _log.warning("the drain is forced" if not force else "no drain", backend=self.name, why=str(error))
                if error.status != 409:
                    return False
            except (RegistrarAway, ConfigError, ProtocolError) as error:
                _log.warning("no drain", backend=self.name, why=str(error))
                return False
            else:
                return True
        return False

    async def _left(self) -> int | None:
        """Renew the lease, and return the connections that are left; None if that is not known."""
        try:
            return (await self._registrar.renew(self.name, self._incarnation)).left
        except (RegistrarAway, RegistrarRefused, ConfigError, ProtocolError) as error:
            self._tell("the number of connections that are left is not known", backend=self.name, why=str(error))
            return None

    def _on_state(self, renewed: Renewed) -> None:
        draining = renewed.state is NodeState.DRAINING
        if draining != self._draining:
            self._draining = draining
            _log.info("the cluster drains it" if draining else "the cluster drains it no more", backend=self.name)

    def _on_failure(self, error: Exception, attempt: int) -> float:
        """Return the pause before the next attempt. The server stays up."""
        if isinstance(error, RegistrarRefused) and error.status in (404, 409):
            was, self._registered = self._registered, False
            if was and error.status == 404:
                _log.info("the gateway does not know the lease; registering again", backend=self.name)
                return 0.0
        self._tell("not registered; the server stays up, and it is tried again", backend=self.name, why=str(error))
        pause_s = next_delay_s(attempt, self._rng, cap_s=RETRY_CAP_S)
        wait_s = min(error.wait_s, RETRY_CAP_S) if isinstance(error, RegistrarRefused) else 0.0
        return max(pause_s, wait_s)

    def _tell(self, event: str, **fields: Any) -> None:
        """Log a problem once, until it has ended."""
        if self._told != event:
            self._told = event
            _log.warning(event, **fields)
