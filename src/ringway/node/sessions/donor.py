"""Connections that leave for another node: with their session where the client follows moves, else by a plain close.

A client that said `moves=` is handed over (`core.handover`, PROTOCOL.md P-11): one coroutine for each takes it from
the question to the target to the commit, and the connection tells it what it sees meanwhile. Any other client is closed
with the move, and comes back as it would from anywhere.

Overflow rules: at most `HANDOVERS_MAX` are under way, further ones wait; a client that sends more than
`CARRIED_BYTES_MAX` between the cut and its answer is cut off, and reconnects.
"""

import asyncio
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING

import structlog

from ringway.core.handover import DonorAction, DonorEvent, DonorState, step_donor
from ringway.core.session import VERSION, WATCHING, Held, Session, encode_session
from ringway.errors import EngineError, ProtocolError
from ringway.protocol.close import NORMAL, SERVICE_RESTART
from ringway.protocol.handover import (
    Abandon,
    Commit,
    Prepare,
    Request,
    SessionRefused,
    decode_answer,
    encode,
    session_address,
)
from ringway.protocol.move import BY_CLOSE, Move
from ringway.types import Channel, Issuer

if TYPE_CHECKING:
    from ringway.member.sent_moves import SentMoves
    from ringway.node.connection.connection import Connection
    from ringway.node.shared import Shared
    from ringway.protocol.ticket import TicketSigner
    from ringway.types import Incarnation, NodeName

HANDOVERS_MAX = 256
"""Sessions that may leave at one time; each waits for a target and a client, so that more would only wait longer."""

CARRIED_BYTES_MAX = 256 * 1024
"""What a client may send between the cut and its answer; with all else it must fit into one message of the engine."""

ASK_S = 2.0
"""How long a target may take to answer: it may have to subscribe to every channel of the session first."""

_log = structlog.get_logger()


class Handover:
    """One session that leaves. The connection tells it what it sees, and hands it what can be sent no more."""

    __slots__ = (
        "_over", "_size", "commands", "connection", "ends_in_s", "held", "ping_in_s", "replies", "state", "target",
        "ticket",
    )  # fmt: skip

    def __init__(self, connection: "Connection", target: "NodeName", ticket: str) -> None:
        self.connection = connection
        self.target = target
        self.ticket = ticket
        self.state = DonorState.PREPARING
        self.held: tuple[Held, ...] = ()
        self.ping_in_s = 0.0
        self.ends_in_s = inf
        self.replies: list[bytes] = []
        self.commands: list[bytes] = []
        self._size = 0
        self._over: asyncio.Future[DonorAction] = asyncio.get_running_loop().create_future()

    def see(self, seen: DonorEvent) -> DonorAction:
        """Go on by the table; return what is to be done now."""
        row = step_donor(self.state, seen)
        if row is None:
            return DonorAction.NOTHING
        self.state, deed = row
        if deed in (DonorAction.COMMIT, DonorAction.ABANDON) and not self._over.done():
            self._over.set_result(deed)
        return deed

    async def outcome(self, within_s: float) -> DonorAction:
        """Return whether to commit or to abandon, when that is known or `within_s` is over."""
        try:
            async with asyncio.timeout(within_s):
                return await self._over
        except TimeoutError:
            return self.see(DonorEvent.LATE)

    def closing(self) -> None:
        """The connection begins to close; where the cut has not been made, that ends the hand-over."""
        if self.state is DonorState.PREPARING:
            self.see(DonorEvent.LOST)

    def answered(self, code: int, reason: str) -> None:
        """The client has sent a close frame: an answer repeats our code, or its own mark; any other is a goodbye."""
        follows = self.connection.follows
        is_answer = code == SERVICE_RESTART if follows == BY_CLOSE else (code, reason) == (NORMAL, follows)
        self.see(DonorEvent.ANSWERED if is_answer else DonorEvent.LOST)

    def settled(self, left: list[bytes] | None) -> None:
        """No command is under way. `left` are the frames whose commands nobody has begun, before all that are kept.

        None where a command failed in a way that had to end the connection.
        """
        if left is None:
            self.see(DonorEvent.LATE)
            return
        self.commands[:0] = filter(None, left)
        self.see(DonorEvent.SETTLED)

    def lost(self) -> None:
        """The client's socket is closed."""
        self.see(DonorEvent.LOST)

    def keep(self, frame: bytes) -> bool:
        """Keep a frame that came after the cut; False where it is too much."""
        self._size += len(frame)
        self.commands.append(frame)
        return self._size <= CARRIED_BYTES_MAX

    def reply(self, frame: bytes) -> None:
        """Keep a reply that can be sent no more."""
        self.replies.append(frame)


class Handovers:
    """Sends connections away, and owns the hand-overs under way. `wall` is Unix time, for tickets."""

    def __init__(
        self,
        shared: "Shared",
        sent: "SentMoves",
        signer: "TicketSigner",
        incarnation: "Incarnation",
        wall: Callable[[], float],
    ) -> None:
        self._shared = shared
        self._sent = sent
        self._signer = signer
        self._issuer = Issuer(incarnation)
        self._wall = wall
        self._under_way: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(HANDOVERS_MAX)

    async def send_off(self, connection: "Connection", target: "NodeName") -> None:
        """Begin to move `connection` to `target`; waits while too many are under way."""
        if not connection.follows:
            self._count(target)
            connection.close(SERVICE_RESTART, Move(target, self._ticket(target)).reason())
            return
        await self._room.acquire()
        if not connection.may_leave:
            self._room.release()
            return
        connection.handover = handover = Handover(connection, target, self._ticket(target))
        task = asyncio.get_running_loop().create_task(self._hand_over(handover))
        self._under_way.add(task)
        task.add_done_callback(self._done)

    async def stop(self, within_s: float) -> None:
        """Let the hand-overs that are under way end; give up those that have not after `within_s`."""
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=within_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._room.release()

    def _ticket(self, target: "NodeName") -> str:
        return self._signer.issue(target, self._issuer, self._shared.rng.randbytes(8), self._wall())

    def _count(self, target: "NodeName") -> None:
        """Count a connection that is sent to `target`, and hold a place for it there."""
        self._sent.count_move(target)
        self._shared.stats.moves += 1

    async def _hand_over(self, handover: Handover) -> None:
        config, connection = self._shared.config, handover.connection
        prepare = Prepare(handover.ticket, connection.client, "", tuple(connection.channels))
        try:
            why = await self._ask(handover, prepare)
            deed = handover.see(DonorEvent.REFUSED if why else DonorEvent.PREPARED)
            if deed is DonorAction.CUT:
                self._cut(handover)
                deed = await handover.outcome(config.close_deadline_s + config.engine_deadline_s + 1.0)
            if deed is DonorAction.COMMIT:
                why = await self._ask(handover, Commit(handover.ticket, encode_session(self._session(handover))))
                handover.see(DonorEvent.TOLD)
            elif deed is not DonorAction.KEEP:
                why = why or "the client was lost, or a command did not end in time"
                self._tell_gone(handover)
                await self._ask(handover, Abandon(handover.ticket))
                self._publish_left(handover)
        except Exception:
            _log.exception("a session was not handed over", client=connection.client, target=handover.target)
            why = "a fault of this node"
            connection.close(SERVICE_RESTART)
        finally:
            connection.handover = None
        stats = self._shared.stats
        if why:
            stats.handovers_failed += 1
            _log.info("a session was not handed over", client=connection.client, target=handover.target, why=why)
        else:
            stats.handovers += 1

    async def _ask(self, handover: Handover, request: Request) -> str:
        """Return nothing where the target took `request`, else why not."""
        bus = self._shared.engine.bus
        try:
            answer = decode_answer(await bus.call(session_address(handover.target), encode(request), timeout_s=ASK_S))
        except (EngineError, ProtocolError) as error:
            return str(error)
        return answer.why if isinstance(answer, SessionRefused) else ""

    def _cut(self, handover: Handover) -> None:
        """Stop serving, in one turn of the loop: what was gathered leaves first, then nothing does."""
        shared, connection = self._shared, handover.connection
        handover.held = tuple(self._held(connection, channel) for channel in connection.channels)
        now = shared.clock()
        handover.ping_in_s = shared.keepalive.ping_in_s(connection, now)
        handover.ends_in_s = max(0.0, connection.ends_at - now)
        self._count(handover.target)
        settled = connection.backlog is None
        connection.send_off(Move(handover.target, handover.ticket))
        if settled:
            handover.settled([])

    def _held(self, connection: "Connection", channel: Channel) -> Held:
        cut = self._shared.streams.cut(channel)
        watching = WATCHING if self._shared.watchers.has(channel, connection) else 0
        return Held(channel, watching, cut.epoch, cut.offset, cut.heard)

    def _publish_left(self, handover: Handover) -> None:
        """Make the publications that the client sent before it was lost, and that no node will carry out."""
        self._shared.workers.publish_left(handover.connection, handover.commands)

    def _tell_gone(self, handover: Handover) -> None:
        """Tell that a client is gone of which the cut told nothing."""
        for held in handover.held:
            self._shared.presence.depart(Channel(held.channel), handover.connection.info)

    def _session(self, handover: Handover) -> Session:
        connection = handover.connection
        return Session(
            version=VERSION,
            client=connection.client,
            user="",
            key=connection.key,
            ping_in_s=handover.ping_in_s,
            ends_in_s=handover.ends_in_s,
            held=handover.held,
            replies=tuple(handover.replies),
            commands=tuple(handover.commands),
        )
