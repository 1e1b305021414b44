"""Sessions of plain HTTP at a gateway: it learns them from answers, tells the other gateways, and asks them.

A gateway that sees a session begin tells all others, a few milliseconds later and many in one message. A request of a
session that is unknown here makes the gateway ask all others, so that none of them has to be told in time. What nobody
knows does not exist, and its client is told so in the way that it understands.
"""

import asyncio
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable
from functools import lru_cache

from ringway.core.group import Groups
from ringway.core.load import NodeLoad
from ringway.core.placement.key_source import cookie
from ringway.core.route import GroupRoute
from ringway.core.sticky.kind import COOKIE, ID_CHARS_MAX, KINDS, SessionUse, read_use, unknown_session
from ringway.core.sticky.table import SessionKey, SessionTable
from ringway.errors import EngineError, ProtocolError, UpgradeError
from ringway.gateway.stats import GatewayStats
from ringway.logger import get_logger
from ringway.ports import Bus, Serving
from ringway.protocol.head import RequestHead
from ringway.protocol.keyring import Keyring, Purpose
from ringway.protocol.sticky_session import (
    SESSIONS,
    SESSIONS_PER_MESSAGE_MAX,
    AskSession,
    LearnedSessions,
    SessionAnswer,
    StickySession,
    decode_session_answer,
    decode_session_message,
    encode_session_message,
)
from ringway.tasks import Tasks
from ringway.types import Incarnation

COOKIE_NAME = "ringway-server"
"""The name of the cookie on routes with `sticky=cookie`."""

COLLECT_S = 0.01
ANSWER_S = 1.0
SWEEPS_BETWEEN = 4
ASKS_MAX = 256
"""Questions to other gateways at one time: whoever makes up ids costs no more."""

UNTOLD_MAX = 100_000
"""Sessions that wait to be told; more are learned by the others when they ask."""

_AWAY = (("Retry-After", "1"),)

_log = get_logger()


class Sessions:
    """The sessions of one gateway. `clock` is monotonic. Without `start` there are no other gateways."""

    def __init__(
        self, groups: Groups, keyring: Keyring, stats: GatewayStats, sessions_max: int, clock: Callable[[], float]
    ) -> None:
        self._groups = groups
        self._keyring = keyring
        self._stats = stats
        self._clock = clock
        self.on_begun: list[Callable[[NodeLoad], None]] = []
        """Called with the backend of each session that has begun here, whose place is held."""
        self._table = SessionTable(sessions_max)
        self._bus: Bus | None = None
        self._serving: Serving | None = None
        self._untold: list[StickySession] = []
        self._tasks = Tasks()
        self._sweeps = 0
        self._asks = 0

    async def start(self, bus: Bus) -> None:
        """Tell other gateways, and answer them, from now on."""
        self._bus = bus
        self._serving = await bus.serve(SESSIONS, self._handle)

    async def stop(self) -> None:
        """Answer no more."""
        if self._serving is not None:
            await self._serving.close()
        await self._tasks.aclose()

    def sweep(self) -> None:
        """Forget sessions that idle; call it a few times a second."""
        self._sweeps += 1
        if self._sweeps % SWEEPS_BETWEEN == 0:
            self._table.expire(self._clock())
        self._stats.sessions = len(self._table)

    def count_at(self, incarnation: Incarnation) -> int:
        """Return how many sessions that began here are at one backend."""
        return self._table.count_at(incarnation)

    def lose_at(self, incarnation: Incarnation) -> None:
        """End the sessions at a backend whose drain is over."""
        self._table.lose_at(incarnation)

    # Requests.

    def find_now(self, route: GroupRoute, head: RequestHead) -> tuple[SessionUse, NodeLoad | None, bool]:
        """Return what a request does with a session, the backend that it must go to, and True if that is known only
        after `find`. Raise `SessionUnknown` if its session has ended."""
        if route.sticky == COOKIE:
            return SessionUse(), self._find_by_cookie(route, head), False
        use = read_use(route.sticky, head)
        if not use.id:
            return use, None, False
        if len(use.id) > ID_CHARS_MAX:
            raise self._refuse(route)
        session, is_gone = self._table.find((route.group, route.sticky, use.id))
        if session is None:
            if self._has_others:
                return use, None, True
            if not use.begins:
                raise self._refuse(route)
            return use, None, False
        return use, self._node_of(session, is_gone, route), False

    async def find(self, route: GroupRoute, use: SessionUse) -> NodeLoad | None:
        """Ask the other gateways where a session is; return its backend, None for one that is about to begin.

        Raise `SessionUnknown` if nobody knows it, `UpgradeError` 503 if they cannot be asked.
        """
        assert self._bus is not None
        if self._asks >= ASKS_MAX:
            raise UpgradeError(503, "too many unknown sessions are being looked for; come again", _AWAY)
        question = AskSession(group=route.group, kind=route.sticky, id=use.id)
        expected = self._groups.gateways
        self._asks += 1
        try:
            answers = await self._bus.gather(
                SESSIONS, encode_session_message(question), timeout_s=ANSWER_S, expected=expected
            )
            found = [answer for raw in answers if (answer := decode_session_answer(raw).session) is not None]
        except (EngineError, ProtocolError) as error:
            raise UpgradeError(503, "the other gateways cannot be asked for this session; come again", _AWAY) from error
        finally:
            self._asks -= 1
        if found:
            self._table.add(found[0], self._clock(), is_own=False)
            session, is_gone = self._table.find((route.group, route.sticky, use.id))
            if session is not None:
                return self._node_of(session, is_gone, route)
        if use.begins:
            return None
        raise self._refuse(route)

    def learn(self, route: GroupRoute, session_id: str, node: NodeLoad, *, counts: bool = True) -> None:
        """Note a session that has begun at `node`, and tell the other gateways. It `counts` once, by one of its ids."""
        if not session_id or len(session_id) > ID_CHARS_MAX:
            return
        session = StickySession(route.group, route.sticky, session_id, node.name, node.incarnation)
        if not self._table.add(session, self._clock(), is_own=counts):
            return
        if counts:
            self._stats.sessions_begun += 1
            self._groups[route.group].view.place(node, self._clock())  # it counts before it is reported
            for on_begun in self.on_begun:
                on_begun(node)
        if self._has_others and len(self._untold) < UNTOLD_MAX:
            if not self._untold:
                self._tasks.spawn(self._tell(), name="sessions for other gateways")
            self._untold.append(session)

    def begin_use(self, key: SessionKey, *, carried: bool = False) -> None:
        """Record that a request of a session is under way until `end_use`; or its WebSocket, which is `carried` and
        counted in its place."""
        self._table.begin_use(key, self._clock(), carried=carried)

    def end_use(self, key: SessionKey) -> None:
        """Record the end of a request or WebSocket of a session."""
        self._table.end_use(key, self._clock())

    def on_ended(self, key: SessionKey) -> None:
        """Forget a session that its client has ended."""
        self._table.remove(key)

    def on_unreachable(self, route: GroupRoute, session_id: str) -> UpgradeError:
        """Record that the backend of a session does not accept connections; return what its client is told."""
        self._table.lose((route.group, route.sticky, session_id))
        return self._refuse(route)

    # Cookies.

    def cookie_line(self, route: GroupRoute, node: NodeLoad, *, secure: bool) -> str:
        """Return the header line by which a client comes back to `node`."""
        flags = "; Secure" if secure else ""
        tag = _tag(self._keyring.keys(Purpose.STICKY)[0], route.group, node.incarnation)
        return f"Set-Cookie: {COOKIE_NAME}={tag}; Path={route.path}; HttpOnly; SameSite=Lax{flags}\r\n"

    def _find_by_cookie(self, route: GroupRoute, head: RequestHead) -> NodeLoad | None:
        """Return the eligible backend that the cookie means: it has its tag, by one of the cluster's secrets."""
        given = cookie(head.headers, COOKIE_NAME.encode()).decode("latin-1")
        if not given or len(given) > ID_CHARS_MAX:
            return None
        for key in self._keyring.keys(Purpose.STICKY):
            for node in self._groups[route.group].view.eligible:
                if hmac.compare_digest(_tag(key, route.group, node.incarnation), given):
                    return node
        self._stats.sessions_lost[COOKIE] += 1
        return None

    # Other gateways.

    @property
    def _has_others(self) -> bool:
        return self._bus is not None and self._groups.gateways > 1

    def _node_of(self, session: StickySession, is_gone: bool, route: GroupRoute) -> NodeLoad:
        node = self._groups.nodes.get(session.node)
        if is_gone or node is None or node.incarnation != session.incarnation:
            self._table.lose((session.group, session.kind, session.id))
            raise self._refuse(route)
        return node

    def _refuse(self, route: GroupRoute) -> UpgradeError:
        self._stats.sessions_lost[route.sticky] += 1
        return unknown_session(route.sticky)

    async def _tell(self) -> None:
        await asyncio.sleep(COLLECT_S)
        sessions, self._untold = self._untold, []
        assert self._bus is not None
        for start in range(0, len(sessions), SESSIONS_PER_MESSAGE_MAX):
            message = LearnedSessions(sessions=tuple(sessions[start : start + SESSIONS_PER_MESSAGE_MAX]))
            try:
                await self._bus.gather(
                    SESSIONS, encode_session_message(message), timeout_s=ANSWER_S, expected=self._groups.gateways
                )
            except EngineError as error:
                _log.warning("other gateways were not told of sessions; they will ask", error=str(error))

    async def _handle(self, raw: bytes) -> bytes | None:
        try:
            message = decode_session_message(raw)
        except ProtocolError as error:
            _log.warning("a message about sessions was not understood", error=str(error))
            return None
        if isinstance(message, LearnedSessions):
            now = self._clock()
            for session in message.sessions[:SESSIONS_PER_MESSAGE_MAX]:
                if session.kind in KINDS and len(session.id) <= ID_CHARS_MAX:
                    self._table.add(session, now, is_own=False)
            return encode_session_message(SessionAnswer())
        found, _ = self._table.find((message.group, message.kind, message.id))
        return encode_session_message(SessionAnswer(session=found))


@lru_cache(maxsize=4096)
def _tag(key: bytes, group: str, incarnation: Incarnation) -> str:
    """Return what a cookie says of a backend: it proves itself, and names no server."""
    digest = hmac.digest(key, f"{group}\0{incarnation}".encode(), "sha256")[:15]
    return urlsafe_b64encode(digest).decode()
