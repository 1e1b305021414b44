"""Return of a restarted backend: a server without Ringway does not say that it has begun anew.

It is back when this machine can connect to it again, and no gateway reports a problem of it. If this machine could not
connect to it before its restart, no gateway may report a problem for the time of its checks.
"""

import asyncio
import time

from ringway.cli.steer import Gateways
from ringway.errors import EngineError, ProtocolError
from ringway.net import connector
from ringway.protocol.backend import Backend
from ringway.protocol.control import NO_CLIENTS, ListProblems, NodeProblems
from ringway.protocol.report import Report
from ringway.protocol.server_address import read_address
from ringway.types import NodeName

CONNECT_S = 1.0
"""The time for the server to take a connection."""

ANSWER_S = 1.0
"""The time for gateways to say what is wrong."""

STEADY_S = 1.0
"""It must be well for this time: a server that is ending accepts connections for a moment."""

PAUSE_S = 0.2


def tells_restarts(backend: Report) -> bool:
    """True if the source of `backend` knows its lives: then a restart has a new incarnation."""
    return Backend(name=backend.name, url=backend.url).incarnation != backend.incarnation


class BackendReturn:
    """The return of one backend. `checks_s` is the time of two health checks of a gateway."""

    def __init__(self, gateways: Gateways, backend: Report, checks_s: float) -> None:
        self.problem = ""
        """The problem that the last check found; empty: no problem."""
        self._gateways = gateways
        self._name = backend.name
        self._address = read_address(backend.url)
        self._checks_s = checks_s
        self._is_reached = False

    async def look_before(self) -> None:
        """Find out, before the restart, if it can be reached from here."""
        self._is_reached = not await self._why_not_reached()

    async def wait(self) -> None:
        """Return when it is back; call it when its restart has ended. It waits without a deadline."""
        well_since: float | None = None
        while True:
            begun = time.monotonic()
            self.problem = await self._why_not_back()
            if self.problem:
                well_since = None
            elif well_since is None:
                well_since = begun
            elif time.monotonic() >= well_since + (STEADY_S if self._is_reached else self._checks_s):
                return
            await asyncio.sleep(PAUSE_S)

    async def _why_not_back(self) -> str:
        if self._is_reached and (problem := await self._why_not_reached()):
            return problem
        try:
            answers = await self._gateways.ask_all(ListProblems(), ANSWER_S)
        except (EngineError, ProtocolError) as error:
            return f"gateways do not say how it is: {error}"
        told = [answer for answer in answers if isinstance(answer, NodeProblems)]
        if not told:
            return "no gateway says how it is"
        name = NodeName(self._name)
        found = ((each.gateway, each.problems.get(name, "")) for each in told)
        return next((f"{gateway}: {problem}" for gateway, problem in found if problem.startswith(NO_CLIENTS)), "")

    async def _why_not_reached(self) -> str:
        try:
            _, writer = await connector().streams(self._address.host, self._address.port, CONNECT_S)
        except OSError as error:
            return f"it takes no connections: {error.strerror or str(error) or type(error).__name__}"
        writer.transport.abort()
        return ""
