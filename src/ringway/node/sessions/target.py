"""Sessions that come from another node: prepared, committed, and served when their client is here (PROTOCOL.md P-11).

From the donor's question on this node is subscribed to all channels of the session and keeps what comes there. When the
commit is heard and the client has come, in whatever order, the client is sent the replies that the donor owed it and
the publications after the donor's cut, and joins each channel in the same turn of the loop; then the commands that
nobody carried out are, and those that came meanwhile.

Overflow rules: above `ARRIVALS_MAX` sessions are refused, as are those that `connections_max` has no room for; one of
whose channels had more messages than may be kept, and has no history, is closed, and its client connects anew.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from ringway.core.handover import TargetAction, TargetEvent, TargetState, step_target
from ringway.core.session import WATCHING, Held, Session, decode_session
from ringway.core.stream import Cut
from ringway.errors import EngineError, ProtocolError, TicketError
from ringway.node.commands.subscribe import enter
from ringway.node.connection.allowance import Pause
from ringway.protocol.close import SERVICE_RESTART
from ringway.protocol.codec import PING
from ringway.protocol.command import ClientInfo
from ringway.protocol.handover import (
    Answer,
    Commit,
    Prepare,
    SessionRefused,
    SessionTaken,
    decode_request,
    encode,
    session_address,
)
from ringway.protocol.ticket import CLOCK_SKEW_S, TICKET_TTL_S
from ringway.types import Channel, NodeState

if TYPE_CHECKING:
    from ringway.node.channels.replay import Hold
    from ringway.node.connection.connection import Connection
    from ringway.node.shared import Shared
    from ringway.ports import Serving
    from ringway.protocol.ticket import TicketSigner

PREPARE_S = 1.5
"""How long subscribing ahead may take: less than the donor waits for the answer."""

COMMIT_S = 8.0
"""How long a client that has come waits for the donor's word: a command under way there may last as long."""

CLIENT_S = TICKET_TTL_S + CLOCK_SKEW_S
"""How long a client is expected: as long as its ticket may be good."""

ARRIVALS_MAX = 5000
"""Sessions that may be prepared at one time."""

_log = structlog.get_logger()


class _Unknown(Exception):
    """What a client has missed cannot be proved complete."""


class Arrival:
    """One session that comes. Nothing here is told to the client before it is served."""

    __slots__ = ("connection", "ends_at", "holds", "prepare", "session", "state")

    def __init__(self, prepare: Prepare, ends_at: float) -> None:
        self.prepare = prepare
        self.ends_at = ends_at
        self.state = TargetState.PREPARED
        self.holds: dict[Channel, Hold] = {}  # what comes to its channels is kept, until the client has joined them
        self.session: Session | None = None
        self.connection: Connection | None = None

    @property
    def info(self) -> ClientInfo:
        """Whose session it is, as others are told."""
        return ClientInfo(user=self.prepare.user, client=self.prepare.client)

    @property
    def awaited(self) -> list[Channel]:
        """Where others take it for subscribed, on this node's word alone."""
        held = self.holds if self.session is None else [Channel(held.channel) for held in self.session.held]
        return [channel for channel in held if channel in self.holds]

    def release(self) -> None:
        """Keep nothing more for it."""
        for hold in self.holds.values():
            hold.release()

    def hear(self, heard: TargetEvent) -> TargetAction | None:
        """Go on by the table; return what is to be done, None where `heard` is to be refused."""
        row = step_target(self.state, heard)
        if row is None:
            return None
        self.state, step = row
        return step


class Arrivals:
    """Takes sessions, and owns those that are on their way here. `wall` is Unix time, for tickets."""

    shared: "Shared"  # set once by the server: the two know each other

    def __init__(self, signer: "TicketSigner", wall: Callable[[], float]) -> None:
        self._signer = signer
        self._wall = wall
        self._expected: dict[bytes, Arrival] = {}  # by the nonce of its ticket, in the order of their coming
        self._tasks: set[asyncio.Task[None]] = set()
        self._serving: Serving | None = None

    def __len__(self) -> int:
        return len(self._expected)

    async def start(self) -> None:
        """Begin to take sessions."""
        self._serving = await self.shared.engine.bus.serve(session_address(self.shared.name), self.handle)

    async def stop(self) -> None:
        """Take no more, and give up those on their way."""
        if self._serving is not None:
            await self._serving.close()
        for nonce in list(self._expected):
            self._hear(nonce, TargetEvent.EXPIRED)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def handle(self, raw: bytes) -> bytes:
        """Answer one request of a donor (`ports.Handler`)."""
        try:
            request = decode_request(raw)
        except ProtocolError as error:
            return encode(SessionRefused(str(error)))
        try:
            _, nonce = self._signer.check(request.ticket, self.shared.name, self._wall())
        except TicketError as error:
            return encode(SessionRefused(str(error)))
        if isinstance(request, Prepare):
            return encode(await self._prepare(nonce, request))
        if isinstance(request, Commit):
            return encode(self._commit(nonce, request))
        self._hear(nonce, TargetEvent.ABANDONED)
        return encode(SessionTaken())

    def expects(self, nonce: bytes) -> bool:
        """Whether the bearer of this ticket is expected, and has not come yet."""
        arrival = self._expected.get(nonce)
        return arrival is not None and step_target(arrival.state, TargetEvent.CLIENT) is not None

    def came(self, nonce: bytes, connection: "Connection") -> None:
        """The client is here; it is served, or closed, when that can be told."""
        arrival = self._expected.get(nonce)
        if arrival is None:
            connection.close(SERVICE_RESTART)
            return
        arrival.connection = connection
        arrival.ends_at = self.shared.clock() + COMMIT_S
        if self._hear(nonce, TargetEvent.CLIENT) is None:
            connection.close(SERVICE_RESTART)

    def lost(self, nonce: bytes) -> None:
        """The client that was here is gone."""
        self._hear(nonce, TargetEvent.LOST)

    def tick(self, now: float) -> None:
        """Let time pass; call it several times a second."""
        for nonce in [nonce for nonce, arrival in self._expected.items() if arrival.ends_at <= now]:
            self._hear(nonce, TargetEvent.EXPIRED)

    def guests(self, channel: Channel) -> list[ClientInfo]:
        """Whose sessions are on their way and subscribed to `channel` (`presence.Guests`)."""
        return [arrival.info for arrival in self._expected.values() if channel in arrival.holds]

    async def _prepare(self, nonce: bytes, prepare: Prepare) -> Answer:
        shared = self.shared
        if nonce in self._expected:
            return SessionRefused("the session is expected here already; a hand-over has a ticket of its own")
        if shared.state is NodeState.DRAINING:
            return SessionRefused(f"the node {shared.name} is draining; choose another")
        if len(self._expected) >= ARRIVALS_MAX:
            return SessionRefused(f"{ARRIVALS_MAX} sessions are on their way already; wait")
        if len(shared.roster) + len(self._expected) >= shared.connections_max:
            return SessionRefused(f"the node holds {shared.connections_max} connections, its maximum; choose another")
        arrival = self._expected[nonce] = Arrival(prepare, shared.clock() + CLIENT_S)
        try:
            async with asyncio.timeout(PREPARE_S):
                await asyncio.gather(*(self._hold(arrival, channel) for channel in map(Channel, prepare.channels)))
        except (EngineError, TimeoutError) as error:
            self._hear(nonce, TargetEvent.ABANDONED)
            return SessionRefused(f"not all of the {len(prepare.channels)} channels were subscribed to: {error}")
        if arrival.state is TargetState.OVER:
            arrival.release()  # also what came after it was given up
            return SessionRefused("the session was given up meanwhile")
        return SessionTaken()

    async def _hold(self, arrival: Arrival, channel: Channel) -> None:
        await self.shared.streams.obtain(channel)
        arrival.holds[channel] = self.shared.streams.keep_tail(channel)

    def _commit(self, nonce: bytes, commit: Commit) -> Answer:
        arrival = self._expected.get(nonce)
        if arrival is None:
            return SessionRefused("no such session is expected; it came too late, or twice")
        try:
            arrival.session = decode_session(commit.session)
        except ProtocolError as error:
            self._hear(nonce, TargetEvent.ABANDONED)
            return SessionRefused(str(error))
        if self._hear(nonce, TargetEvent.COMMIT) is None:
            return SessionRefused("the session was committed before")
        return SessionTaken()

    def _hear(self, nonce: bytes, heard: TargetEvent) -> TargetAction | None:
        arrival = self._expected.get(nonce)
        step = arrival.hear(heard) if arrival is not None else None
        if arrival is None or step is None:
            return None
        if step is TargetAction.SERVE:
            task = asyncio.get_running_loop().create_task(self._serve(nonce, arrival))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif step is not TargetAction.NOTHING:
            del self._expected[nonce]
            arrival.release()
            if arrival.session is not None or heard is TargetEvent.EXPIRED or heard is TargetEvent.LOST:
                self._tell_gone(arrival)  # an abandoned one's donor has told it
            if step is TargetAction.REFUSE and arrival.connection is not None:
                arrival.connection.close(SERVICE_RESTART)
        return step

    def _tell_gone(self, arrival: Arrival) -> None:
        for channel in arrival.awaited:
            self.shared.presence.depart(channel, arrival.info)

    async def _serve(self, nonce: bytes, arrival: Arrival) -> None:
        """Let the session go on: nothing is sent to the client before everything that must go before it."""
        connection, session = arrival.connection, arrival.session
        assert connection is not None
        assert session is not None
        try:
            connection.client = session.client
            if connection.is_usable:
                connection.resume(session)
                connection.reply(list(session.replies))
                for held in session.held:
                    await self._join(connection, held, arrival)
                self.shared.stats.resumed += 1
            self._go_on(connection, session)
        except (EngineError, ProtocolError, TimeoutError, _Unknown) as error:
            _log.info("a session was not resumed", client=session.client, why=str(error))
            connection.close(SERVICE_RESTART)
        except Exception:
            _log.exception("a session was not resumed", client=session.client)
            connection.close(SERVICE_RESTART)
        finally:
            del self._expected[nonce]
            self._tell_gone(arrival)  # of all channels that the client was lost before
            arrival.release()

    async def _join(self, connection: "Connection", held: Held, arrival: Arrival) -> None:
        """Send what was missed of one channel, and join it in the same turn. Raise where it cannot be told what was."""
        channel, watching = Channel(held.channel), bool(held.flags & WATCHING)
        cut = Cut(held.epoch, held.offset, held.heard)
        async with asyncio.timeout(self.shared.config.engine_deadline_s):
            missed = await self.shared.streams.since(channel, cut, arrival.holds[channel], watching=watching)
        if missed is None:
            raise _Unknown(f"what came to {channel} since the cut is not all known")
        if connection.is_usable:
            connection.reply(missed)
            enter(self.shared, connection, channel, watching=watching, silently=True)
            arrival.holds.pop(channel).release()

    def _go_on(self, connection: "Connection", session: Session) -> None:
        """Carry out what the donor left, then what has come meanwhile, in order; at last close, if the client did."""
        backlog, connection.backlog = connection.backlog, None
        frames = [frame for frame in session.commands if frame != PING]
        if backlog is not None:
            frames.extend(backlog.frames)
        connection.resume_reading(Pause.BACKLOG)
        while frames and connection.is_usable:
            self.shared.workers.take(connection, frames.pop(0))
        if frames:
            self.shared.workers.publish_left(connection, frames)
        elif backlog is not None and backlog.goodbye is not None:
            self.shared.workers.take_goodbye(connection, backlog.goodbye)
