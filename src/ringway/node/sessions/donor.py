"""Donor of sessions: connections leave for their next node, with their session if the client follows moves.

A client with `moves=` in its query is handed over (`core.handover`, PROTOCOL.md P-11): one coroutine for each session
goes from the request to the target to the commit. After the cut the connection passes the client's late messages to its
successor. Any other client is closed with the move, and reconnects like a newcomer.

Overflow rules: at most `HANDOVERS_MAX` are under way, and further moves wait; a client that sends more than
`CARRIED_BYTES_MAX` between the cut and its answer is cut off, and reconnects; so does one with more unsent replies.

Calls of the client (RPC) that are under way are waited for before the move begins, and it is served as ever meanwhile.
Those that it begins later are waited for after the cut, as its other commands; their replies travel with the session.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator
from math import inf
from typing import Any

from ringway.core.credentials import ANONYMOUS
from ringway.core.handover import DonorAction, DonorEvent, DonorState, step_donor
from ringway.core.session import WATCHING, Held, Session, encode_session, version_of
from ringway.errors import EngineError, NoAnswer, ProtocolError
from ringway.logger import get_logger
from ringway.node.commands.context import CommandContext
from ringway.node.commands.queues import CommandQueues
from ringway.node.connection.connection import Connection
from ringway.ports import Bus
from ringway.protocol.close import NORMAL, SERVICE_RESTART
from ringway.protocol.command import ClientInfo
from ringway.protocol.handover import (
    Abandon,
    Answer,
    Commit,
    Prepare,
    Request,
    SessionRefused,
    SessionTaken,
    decode_answer,
    encode,
    session_address,
)
from ringway.protocol.move import BY_CLOSE, Move
from ringway.protocol.ticket import NO_BEARER, TicketKind, TicketSigner
from ringway.tasks import Tasks
from ringway.types import Channel, Incarnation, Issuer, NodeName

HANDOVERS_MAX = 256
"""Sessions that may leave at one time; each waits for a target and a client, so more would only wait longer."""

CARRIED_BYTES_MAX = 256 * 1024
"""Bytes that a client may send between cut and answer; the whole session must fit into one message of the engine."""

ASK_S = 2.0
"""The deadline of a target's answer: it may have to subscribe to every channel of the session first."""

WhenIdle = Callable[[Connection, Callable[[], object]], None]
"""Calls a function when no call (RPC) of a connection is under way."""

_log = get_logger()


class SessionDonor:
    """One session that leaves; the successor of its connection (`connection.successor`).

    `ticket` is the client's, and told to nobody else; `reference` is the ticket that names the hand-over to the target.
    Both are issued when the move begins.
    """

    __slots__ = (
        "_over", "_replies_size", "_size", "_when_idle", "commands", "connection", "ends_in_s", "has_answered", "held",
        "ping_in_s", "reference", "replies", "state", "target", "ticket",
    )  # fmt: skip

    def __init__(self, connection: Connection, target: NodeName, when_idle: WhenIdle) -> None:
        self.connection = connection
        self.target = target
        self.ticket = ""
        self.reference = ""
        self.state = DonorState.PREPARING
        self.has_answered = False
        self.held: tuple[Held, ...] = ()
        self.ping_in_s = 0.0
        self.ends_in_s = inf
        self.replies: list[bytes] = []
        self.commands: list[bytes] = []
        self._size = 0
        self._replies_size = 0
        self._when_idle = when_idle
        self._over: asyncio.Future[DonorAction] = asyncio.get_running_loop().create_future()

    @property
    def is_keeping(self) -> bool:
        """True if messages that come now move with the session."""
        return self.state is not DonorState.PREPARING and self.state is not DonorState.OVER

    def handle(self, event: DonorEvent) -> DonorAction:
        """Change the state by the table; return the action."""
        row = step_donor(self.state, event)
        if row is None:
            return DonorAction.NOTHING
        self.state, action = row
        if action in (DonorAction.COMMIT, DonorAction.ABANDON) and not self._over.done():
            self._over.set_result(action)
        return action

    async def outcome(self, within_s: float) -> DonorAction:
        """Return COMMIT or ABANDON, when that is decided or `within_s` is over."""
        try:
            async with asyncio.timeout(within_s):
                return await self._over
        except TimeoutError:
            return self.handle(DonorEvent.LATE)

    def on_settled(self, left: list[bytes] | None) -> None:
        """No command is under way but calls. `left` are the frames that were not begun; they came before all stored
        messages.

        None if a faulty command ended the connection.
        """
        if left is None:
            self.handle(DonorEvent.LATE)
            return
        self.commands[:0] = filter(None, left)
        self._when_idle(self.connection, lambda: self.handle(DonorEvent.SETTLED))

    def keep_message(self, message: bytes) -> bool:
        """Store a message that came after the cut; False if that exceeds the bound."""
        self._size += len(message)
        self.commands.append(message)
        return self._size <= CARRIED_BYTES_MAX

    def keep_reply(self, message: bytes) -> None:
        """Store a reply that cannot be sent any more; end the move if that exceeds the bound."""
        self._replies_size += len(message)
        self.replies.append(message)
        if self._replies_size > CARRIED_BYTES_MAX:
            self.handle(DonorEvent.LATE)

    def on_close(self, code: int, reason: str) -> None:
        """The client has sent a close frame: the answer if it has this node's code or the mark, or else a goodbye."""
        follows = self.connection.follows
        is_answer = code == SERVICE_RESTART if follows == BY_CLOSE else (code, reason) == (NORMAL, follows)
        self.has_answered = self.has_answered or is_answer
        self.handle(DonorEvent.ANSWERED if is_answer else DonorEvent.LOST)

    def on_lost(self) -> None:
        """The client's socket is closed."""
        self.handle(DonorEvent.LOST)

    def session(self) -> Session:
        """Return the session for the target."""
        connection = self.connection
        rights = {held.channel: each for held in self.held if (each := connection.rights.get(Channel(held.channel)))}
        return Session(
            version=version_of(connection.credentials, rights),
            client=connection.client,
            user=connection.credentials.user,
            key=connection.key,
            ping_in_s=self.ping_in_s,
            ends_in_s=self.ends_in_s,
            held=self.held,
            replies=tuple(self.replies),
            commands=tuple(self.commands),
            credentials=connection.credentials,
            rights=rights,
        )


class SessionDonors:
    """Sends connections away, and owns the hand-overs under way.

    `wall` is Unix time, for tickets. `on_sent` is called with the target of each connection that is moved away.
    """

    def __init__(
        self,
        context: CommandContext,
        queues: CommandQueues,
        bus: Bus,
        signer: TicketSigner,
        incarnation: Incarnation,
        wall: Callable[[], float],
        on_sent: Callable[[NodeName], None],
    ) -> None:
        self._context = context
        self._queues = queues
        self._bus = bus
        self._signer = signer
        self._issuer = Issuer(incarnation)
        self._wall = wall
        self._on_sent = on_sent
        self._leaving: set[SessionDonor] = set()
        self._slots = asyncio.Semaphore(HANDOVERS_MAX)
        self._tasks = Tasks()

    def __iter__(self) -> Iterator[SessionDonor]:
        """The sessions that are leaving now."""
        return iter(list(self._leaving))

    def leaving(self, channel: Channel) -> Iterable[ClientInfo]:
        """Return the subscribed clients whose sessions are leaving (`presence.MovingSessions`)."""
        return [donor.connection.info_in(channel) for donor in self._leaving if channel in donor.connection.channels]

    async def send_off(self, connection: Connection, target: NodeName, clock_s: float = 0.0) -> None:
        """Begin to move `connection` to `target`, whose clock is `clock_s` ahead; wait while too many are under way."""
        if not (connection.follows or self._context.rpc.is_calling(connection)):
            self._close_moved(connection, target, clock_s)
            return
        if self._context.rpc.is_calling(connection):
            self._begin(connection, target, self._send_off_idle, clock_s)
            return
        await self._slots.acquire()
        task = self._begin(connection, target, self._send_off, clock_s)
        if task is None:
            self._slots.release()
        else:
            task.add_done_callback(lambda _: self._slots.release())

    async def aclose(self, within_s: float) -> None:
        """Let the hand-overs under way end; cancel the hand-overs that have not ended `within_s`."""
        await self._tasks.aclose(within_s)

    def _tickets(self, target: NodeName, clock_s: float) -> tuple[str, str]:
        """Return the client's ticket, and the ticket that names the hand-over: they share the nonce (P-11.1.1)."""
        nonce, now = self._context.rng.randbytes(8), self._wall() + clock_s
        client, reference = (
            self._signer.issue(target, issuer, nonce, now, kind=TicketKind.MOVE) for issuer in (self._issuer, NO_BEARER)
        )
        return client, reference

    def _count_move(self, target: NodeName) -> None:
        self._on_sent(target)
        self._context.stats.moves += 1

    def _close_moved(self, connection: Connection, target: NodeName, clock_s: float) -> None:
        self._count_move(target)
        self._context.stats.moves_reconnected += 1
        connection.close(SERVICE_RESTART, Move(target, self._tickets(target, clock_s)[0]).reason())

    def _begin(
        self,
        connection: Connection,
        target: NodeName,
        work: Callable[[SessionDonor, float], Coroutine[Any, Any, None]],
        clock_s: float,
    ) -> "asyncio.Task[None] | None":
        """Begin to move a client by `work`; return its task, None if the client cannot leave now."""
        if not connection.may_leave:
            return None
        donor = SessionDonor(connection, target, self._context.rpc.when_idle)
        connection.begin_move(donor)
        self._leaving.add(donor)
        task = self._tasks.spawn(work(donor, clock_s), name="hand-over of a session")
        task.add_done_callback(lambda _: self._end(donor))
        return task

    def _end(self, donor: SessionDonor) -> None:
        donor.connection.end_move()
        self._leaving.discard(donor)

    async def _send_off_idle(self, donor: SessionDonor, clock_s: float) -> None:
        """Move a client when its calls have ended. Until then it takes no room among those on their way."""
        await self._context.rpc.wait_idle(donor.connection)
        async with self._slots:
            await self._send_off(donor, clock_s)

    async def _send_off(self, donor: SessionDonor, clock_s: float) -> None:
        """Move a client, by the hand-over of its session if it follows moves."""
        connection = donor.connection
        if connection.follows:
            donor.ticket, donor.reference = self._tickets(donor.target, clock_s)
            await self._hand_over(donor)
        else:
            connection.end_move()
            if connection.is_staying:
                self._close_moved(connection, donor.target, clock_s)

    async def _hand_over(self, donor: SessionDonor) -> None:
        connection, stats = donor.connection, self._context.stats
        why = ""
        try:
            why = await self._run(donor)
        except Exception:
            _log.exception("a session was not handed over", client=connection.client, target=donor.target)
            why = "a fault of this node"
            connection.close(SERVICE_RESTART)
        finally:
            connection.end_move()
            self._queues.when_settled(connection, None)
            self._leaving.discard(donor)
        if why:
            stats.handovers_failed += 1
            _log.info("a session was not handed over", client=connection.client, target=donor.target, why=why)
        else:
            stats.handovers += 1

    async def _run(self, donor: SessionDonor) -> str:
        """Hand the session over; return '' if that was done, or the reason of the failure."""
        config, connection = self._context.config, donor.connection
        prepare = Prepare(
            donor.reference,
            connection.client,
            connection.credentials.user,
            tuple(connection.channels),
            connection.credentials.info,
            {channel: rights.info for channel, rights in connection.rights.items()},
            connection.credentials != ANONYMOUS,
        )
        why = await self._ask(donor, prepare)
        event = DonorEvent.REFUSED if why else DonorEvent.PREPARED if connection.is_staying else DonorEvent.LOST
        action = donor.handle(event)
        is_cut = action is DonorAction.CUT
        if is_cut:
            self._cut(donor)
            action = await donor.outcome(config.close_deadline_s + config.engine_deadline_s + 1.0)
        if action is DonorAction.COMMIT:
            why = await self._commit(donor)
            donor.handle(DonorEvent.TOLD)
        elif action is not DonorAction.KEEP:
            why = why or "the client was lost, or a command did not end in time"
            self._publish_leaves(donor)
            await self._abandon(donor, is_cut=is_cut)
            self._queues.publish_left(connection, donor.commands)
        return why

    async def _commit(self, donor: SessionDonor) -> str:
        """Send the session; return '' if the target has it, or the reason.

        The target counts the outcome, except if it refused, or is gone. Without an answer it may have the session.
        """
        try:
            answer = await self._call(donor, Commit(donor.reference, encode_session(donor.session())))
        except (EngineError, ProtocolError) as error:
            self._context.stats.moves_reconnected += isinstance(error, NoAnswer) and not error.timed_out
            return str(error)
        if isinstance(answer, SessionRefused):
            self._context.stats.moves_reconnected += not answer.is_over
            return answer.why
        return ""

    async def _abandon(self, donor: SessionDonor, *, is_cut: bool) -> None:
        """Tell the target that no client comes, and count the outcome: a client that has answered reconnects."""
        try:
            answer = await self._call(donor, Abandon(donor.reference))
        except (EngineError, ProtocolError):
            answer = SessionTaken()  # without an answer, the outcome must be counted here
        if not is_cut or (isinstance(answer, SessionRefused) and answer.is_over):
            return
        if donor.has_answered:
            self._context.stats.moves_reconnected += 1
        else:
            self._context.stats.moves_lost += 1

    async def _ask(self, donor: SessionDonor, request: Request) -> str:
        """Return '' if the target agreed, or the reason of the refusal."""
        try:
            answer = await self._call(donor, request)
        except (EngineError, ProtocolError) as error:
            return str(error)
        return answer.why if isinstance(answer, SessionRefused) else ""

    async def _call(self, donor: SessionDonor, request: Request) -> Answer:
        """Return the target's answer; raise `EngineError` or `ProtocolError` without one."""
        return decode_answer(await self._bus.call(session_address(donor.target), encode(request), timeout_s=ASK_S))

    def _cut(self, donor: SessionDonor) -> None:
        """Stop serving, in one turn of the loop: gathered messages are sent first, then no more messages."""
        connection = donor.connection
        donor.held = tuple(self._held(connection, channel) for channel in connection.channels)
        donor.ping_in_s = connection.ping_in_s()
        donor.ends_in_s = connection.ends_in_s()
        self._count_move(donor.target)
        connection.send_off(Move(donor.target, donor.ticket))
        self._queues.when_settled(connection, donor.on_settled)

    def _held(self, connection: Connection, channel: Channel) -> Held:
        channels = self._context.channels
        cut = channels.snapshot(channel)
        watching = WATCHING if channels.is_watching(connection, channel) else 0
        return Held(channel, watching, cut.epoch, cut.offset, cut.heard)

    def _publish_leaves(self, donor: SessionDonor) -> None:
        """Publish the leaves that the cut did not publish: the client is gone."""
        for channel in (Channel(held.channel) for held in donor.held):
            self._context.channels.presence.publish_leave(channel, donor.connection.info_in(channel))
