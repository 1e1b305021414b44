"""Access of commands to the cluster by a gateway's admin port: for gateways that have no engine, or a remote engine."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from ringway.cli.admin_token import HOW_TO_GIVE
from ringway.core.report_reader import MemberLeaves
from ringway.errors import ConfigError, EngineAway, NoAnswer, ProtocolError, RingwayError
from ringway.member.feed import Feed
from ringway.net.http_get import HttpAnswer, HttpAnswerError, ask_api, why_unanswered
from ringway.net.tls.client import make_context
from ringway.protocol.address import read_url
from ringway.protocol.admin_call import AdminCall, decode_answers, decode_refusal, encode
from ringway.protocol.decoding import reader
from ringway.protocol.report import Report
from ringway.tasks import Tasks

PORTS = {"http": 80, "https": 443}

ANSWER_BYTES_MAX = 64_000_000
"""The size of the reports of 10,000 members."""

LOOK_S = 0.5
"""The pause between two reads of the reports."""

EXTRA_S = 2.0
"""The time for connection and answer, beside the time that a call itself may take."""

AWAY_S = 10.0
"""A gateway without an answer for this time is gone, and its backends with it."""

_decode = msgspec.json.decode
_read_reports = reader(msgspec.json.Decoder(list[Report]).decode, "the reports of an admin port")


class AdminCalls:
    """Calls to members through the admin port at `url` (`ports.Calls`), with a `token` if there is one.

    `ca_file` has the authorities of an https port; empty: those of the system.
    """

    def __init__(self, url: str, token: str = "", ca_file: str = "") -> None:
        self._url = url
        self._headers = (("Authorization", f"Bearer {token}"),) if token else ()
        try:
            self._parts = read_url(url, PORTS, "write http://host:port")
        except ConfigError as error:
            raise ConfigError(f"--admin: {error}") from None
        if ca_file and self._parts.scheme != "https":
            raise ConfigError(f"--ca is given, and --admin {url} has no TLS; write https://, or leave --ca out")
        self._tls = make_context(ca_file, of="the admin port") if self._parts.scheme == "https" else None

    async def call(self, address: str, request: bytes, *, timeout_s: float) -> bytes:
        """Return the answer of one server of `address`; raise `NoAnswer`, or `EngineAway`."""
        [answer] = await self._post(AdminCall(address=address, request=_decode(request), timeout_s=timeout_s))
        return answer

    async def gather(self, address: str, request: bytes, *, timeout_s: float, expected: int = 0) -> list[bytes]:
        """Return the answers of the servers of `address`; raise `EngineAway`."""
        call = AdminCall(address=address, request=_decode(request), timeout_s=timeout_s, expected=expected)
        return await self._post(call)

    async def reports(self) -> list[Report]:
        """Return the last report of each member; raise `EngineAway`, or `RingwayError`."""
        reports: list[Report] = _read_reports((await self._ask("GET", "/v1/reports", b"", EXTRA_S)).body)
        return reports

    async def _post(self, call: AdminCall) -> list[bytes]:
        answer = await self._ask("POST", "/v1/calls", encode(call), call.timeout_s + EXTRA_S)
        return [bytes(each) for each in decode_answers(answer.body).answers]

    async def _ask(self, method: str, target: str, body: bytes, within_s: float) -> HttpAnswer:
        try:
            answer = await ask_api(
                method,
                self._parts,
                target,
                body,
                headers=self._headers,
                timeout_s=within_s,
                bytes_max=ANSWER_BYTES_MAX,
                ssl=self._tls,
            )
        except (OSError, TimeoutError, HttpAnswerError) as error:
            why = why_unanswered(error, within_s)
            raise EngineAway(f"no admin port of a gateway answers at {self._url} ({why})") from None
        if answer.status != 200:
            raise _refusal(answer, self._url)
        return answer


class AdminAccess:
    """The cluster, as the admin port of one gateway shows it (`cluster.Access`)."""

    def __init__(self, calls: AdminCalls) -> None:
        self.bus = calls
        self.members = Feed()
        """The members, without strangers, which the gateway reports itself."""
        self._heard_at = time.monotonic()
        self._failing = False

    @property
    def up(self) -> bool:
        """True while the port answers, and again when its members are given up after a long silence."""
        return not self._failing or time.monotonic() > self._heard_at + AWAY_S

    async def follow(self) -> None:
        """Hear the members, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
            except (RingwayError, ProtocolError):
                self._failing = True

    async def look(self) -> None:
        """Hear the members once; raise `EngineAway` if the port does not answer."""
        reports = await self.bus.reports()
        self._failing, self._heard_at = False, time.monotonic()
        for report in reports:
            self.members.add_report(report)
        there = {(report.name, report.incarnation) for report in reports}
        for known in list(self.members.live.values()):
            if (known.name, known.incarnation) not in there:
                self.members.remove_member(MemberLeaves(known.name, known.incarnation))


@asynccontextmanager
async def reach_admin(url: str, token: str = "", ca_file: str = "") -> AsyncIterator[AdminAccess]:
    """Reach the cluster by the admin port at `url`; raise `ConfigError` if it cannot be reached, or wants a token."""
    access = AdminAccess(AdminCalls(url, token, ca_file))
    try:
        await access.look()
    except EngineAway as error:
        raise ConfigError(f"{error}; name the admin port of a gateway: --admin http://host:8001") from None
    tasks = Tasks()
    tasks.spawn(access.follow(), name="reports by the admin port")
    try:
        yield access
    finally:
        await tasks.aclose()


def _refusal(answer: HttpAnswer, url: str) -> RingwayError:
    """Return the error for an answer that is not 200."""
    try:
        detail = decode_refusal(answer.body).detail
    except ProtocolError:
        detail = ""
    if answer.status == 504:
        return NoAnswer(detail)
    if answer.status == 503:
        return EngineAway(detail or "the engine is away")
    if answer.status == 401:
        return ConfigError(f"{url} refuses this: {detail}. {HOW_TO_GIVE}")
    if answer.status in (404, 405):
        return ConfigError(f"{url} is no admin port of a gateway, or one of an older release")
    return RingwayError(detail or f"{url} answered with status {answer.status}")
