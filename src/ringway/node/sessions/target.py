"""Target of sessions: they come from a donor, are prepared, committed, and served when their client is here (P-11).

From the donor's request on this node is subscribed to all channels of the session and stores their messages. When the
commit and the client have come, in any order, the client is sent the replies that the donor owed it and the
publications after the donor's cut, and joins each channel in the same turn of the loop. Then the commands that the
donor left are carried out, and later commands.

Overflow rules: above `ARRIVALS_MAX` sessions are refused, and above `connections_max` as well. A session is closed, and
its client connects anew, if a channel without history had more messages than may be stored.
"""

import asyncio
from collections.abc import Callable, Iterator

from ringway.core.credentials import ANONYMOUS
from ringway.core.handover import TargetAction, TargetEvent, TargetState, step_target
from ringway.core.session import WATCHING, Held, Session, decode_session, identity_problem
from ringway.core.stream import Cut
from ringway.core.subscription_rights import SubscriptionRights
from ringway.errors import EngineError, ProtocolError, TicketError
from ringway.logger import get_logger
from ringway.node.channels.replay import ReplayLease
from ringway.node.commands.context import CommandContext
from ringway.node.commands.handler import ClientHandler
from ringway.node.commands.permission import will_watch
from ringway.node.commands.queues import CommandQueues
from ringway.node.commands.revoked_clients import RevokedClients
from ringway.node.commands.subscribe import join
from ringway.node.commands.user_orders import UserOrders
from ringway.node.connection.command_queue import Goodbye
from ringway.node.connection.connection import Connection
from ringway.node.sessions.rights import rights_refusal
from ringway.ports import Bus, Serving
from ringway.protocol.close import SERVICE_RESTART
from ringway.protocol.codec import PING
from ringway.protocol.command import ClientInfo, raw_or_absent
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
from ringway.protocol.ticket import CLOCK_SKEW_S, TICKET_TTL_S, TicketKind, TicketSigner
from ringway.tasks import Tasks
from ringway.types import Channel

PREPARE_S = 1.5
"""The deadline of subscribing ahead: less than the donor's deadline for the answer."""

COMMIT_S = 8.0
"""The time for which a client waits here for the donor's commit: a command under way there may last as long."""

CLIENT_S = TICKET_TTL_S + CLOCK_SKEW_S
"""The time for which a client is expected: as long as its ticket may be valid."""

ARRIVALS_MAX = 5000
"""Sessions that may be prepared at one time."""

_log = get_logger()


class _Unknown(Exception):
    """The missed publications of a client cannot be proved complete."""


class SessionTarget:
    """One session that comes. Its client is sent no message before the session is served."""

    __slots__ = ("connection", "ends_at", "leases", "order_number", "prepare", "session", "state")

    def __init__(self, prepare: Prepare, ends_at: float, order_number: int) -> None:
        self.prepare = prepare
        self.order_number = order_number  # orders of backends up to this one were carried out by its donor
        self.ends_at = ends_at
        self.state = TargetState.PREPARED
        self.leases: dict[Channel, ReplayLease] = {}  # on its channels, until the client has joined them
        self.session: Session | None = None
        self.connection: Connection | None = None

    def info_in(self, channel: Channel) -> ClientInfo:
        """Return the client's description for the other subscribers of `channel`."""
        prepare = self.prepare
        chan_info = prepare.granted.get(channel, b"")
        return ClientInfo(prepare.user, prepare.client, raw_or_absent(prepare.info), raw_or_absent(chan_info))

    @property
    def unjoined(self) -> list[Channel]:
        """The channels in which the client is present by this node's answers only."""
        held = self.leases if self.session is None else [Channel(held.channel) for held in self.session.held]
        return [channel for channel in held if channel in self.leases]

    def release(self) -> None:
        """Release its leases."""
        for lease in self.leases.values():
            lease.release()

    def handle(self, event: TargetEvent) -> TargetAction | None:
        """Change the state by the table; return the action, None if `event` is to be refused."""
        row = step_target(self.state, event)
        if row is None:
            return None
        self.state, action = row
        return action


class _ArrivalHandler:
    """Handles the connection of a client whose session is not here yet: the client's messages wait.

    The `usual` handler handles all other events (`connection.handler.ConnectionHandler`).
    """

    __slots__ = ("_nonce", "_targets", "_usual", "on_frame", "on_goodbye", "on_ignored", "on_message", "on_redirected")

    def __init__(self, targets: "SessionTargets", nonce: bytes, usual: ClientHandler) -> None:
        self._targets = targets
        self._nonce = nonce
        self._usual = usual
        self.on_message: Callable[[Connection, bytes], None] = usual.on_message
        self.on_frame: Callable[[Connection], bool] = usual.on_frame
        self.on_ignored: Callable[[Connection, int], None] = usual.on_ignored
        self.on_goodbye: Callable[[Connection, Goodbye], None] = usual.on_goodbye
        self.on_redirected: Callable[[Connection], None] = usual.on_redirected

    def on_opened(self, connection: Connection) -> None:
        """Let the client's messages wait until its session is here."""
        connection.open_command_queue()
        self._targets.on_client(self._nonce, connection)

    def on_ended(self, connection: Connection, *, silently: bool) -> None:
        """Give the session up."""
        self._usual.on_ended(connection, silently=silently)
        self._targets.on_client_lost(self._nonce)


class SessionTargets:
    """Receives sessions, and owns the sessions on their way here.

    `clock` is monotonic, `wall` Unix time, for tickets. `refusal` is called with the number of expected sessions; it
    returns why the node has no room for one more, or ''. `orders` of backends also concern sessions on their way, and
    so do `revoked` tokens.
    """

    def __init__(
        self,
        context: CommandContext,
        queues: CommandQueues,
        handler: ClientHandler,
        bus: Bus,
        signer: TicketSigner,
        clock: Callable[[], float],
        wall: Callable[[], float],
        refusal: Callable[[int], str],
        orders: UserOrders,
        revoked: RevokedClients,
    ) -> None:
        self._context = context
        self._queues = queues
        self._handler = handler
        self._bus = bus
        self._signer = signer
        self._clock = clock
        self._wall = wall
        self._refusal = refusal
        self._orders = orders
        self._revoked = revoked
        self._expected: dict[bytes, SessionTarget] = {}  # by the nonce of its ticket, in the order of arrival
        self._tasks = Tasks()
        self._serving: Serving | None = None

    def __len__(self) -> int:
        return len(self._expected)

    def __iter__(self) -> Iterator[SessionTarget]:
        """The sessions that are expected now."""
        return iter(list(self._expected.values()))

    async def start(self) -> None:
        """Begin to receive sessions."""
        self._serving = await self._bus.serve(session_address(self._context.name), self.handle)

    async def stop(self) -> None:
        """Stop receiving sessions, and end those on their way."""
        if self._serving is not None:
            await self._serving.close()
        for nonce in list(self._expected):
            self._handle(nonce, TargetEvent.EXPIRED)
        await self._tasks.aclose()

    async def handle(self, raw: bytes) -> bytes:
        """Answer one request of a donor (`ports.Handler`)."""
        try:
            request = decode_request(raw)
        except ProtocolError as error:
            return encode(SessionRefused(str(error)))
        try:
            ticket = self._signer.check(request.ticket, self._context.name, self._wall())
        except TicketError as error:
            return encode(SessionRefused(str(error)))
        if ticket.kind is not TicketKind.MOVE:
            return encode(SessionRefused("the ticket is that of a placement; a hand-over needs a ticket of a move"))
        nonce = ticket.nonce
        if isinstance(request, Prepare):
            return encode(await self._prepare(nonce, request))
        if isinstance(request, Commit):
            return encode(self._commit(nonce, request))
        if self._handle(nonce, TargetEvent.ABANDONED) is None:
            return encode(SessionRefused("no such session is expected", is_over=True))
        return encode(SessionTaken())

    def expects(self, nonce: bytes) -> bool:
        """True if the bearer of this ticket is expected, and has not come yet."""
        target = self._expected.get(nonce)
        return target is not None and step_target(target.state, TargetEvent.CLIENT) is not None

    def handler_for(self, nonce: bytes) -> _ArrivalHandler:
        """Return the handler for the connection of this ticket's bearer."""
        return _ArrivalHandler(self, nonce, self._handler)

    def on_client(self, nonce: bytes, connection: Connection) -> None:
        """Serve or close the client that has come, once that can be decided."""
        target = self._expected.get(nonce)
        if target is None:
            connection.close(SERVICE_RESTART)
            return
        target.connection = connection
        target.ends_at = self._clock() + COMMIT_S
        if self._handle(nonce, TargetEvent.CLIENT) is None:
            connection.close(SERVICE_RESTART)

    def on_client_lost(self, nonce: bytes) -> None:
        """Give up the session of a client that was here and is gone."""
        self._handle(nonce, TargetEvent.LOST)

    def tick(self, now: float) -> None:
        """Let time pass; call it several times a second."""
        for nonce in [nonce for nonce, target in self._expected.items() if target.ends_at <= now]:
            self._handle(nonce, TargetEvent.EXPIRED)

    def incoming(self, channel: Channel) -> list[ClientInfo]:
        """Return the clients whose sessions are coming and subscribed to `channel` (`presence.MovingSessions`)."""
        return [target.info_in(channel) for target in self._expected.values() if channel in target.leases]

    async def _prepare(self, nonce: bytes, prepare: Prepare) -> Answer:
        if nonce in self._expected:
            return SessionRefused("the session is expected here already; a hand-over has a ticket of its own")
        if len(self._expected) >= ARRIVALS_MAX:
            return SessionRefused(f"{ARRIVALS_MAX} sessions are on their way already; wait")
        why = self._refusal(len(self._expected)) or rights_refusal(
            self._context, prepare.user, prepare.channels, prepare.granted, is_verified=prepare.is_verified
        )
        if why:
            return SessionRefused(why)
        target = self._expected[nonce] = SessionTarget(prepare, self._clock() + CLIENT_S, self._orders.number)
        try:
            async with asyncio.timeout(PREPARE_S):
                await asyncio.gather(*(self._lease(target, channel) for channel in map(Channel, prepare.channels)))
        except (EngineError, TimeoutError) as error:
            self._handle(nonce, TargetEvent.ABANDONED)
            return SessionRefused(f"not all of the {len(prepare.channels)} channels were subscribed to: {error}")
        if target.state is TargetState.OVER:
            target.release()  # also leases that came after it was given up
            return SessionRefused("the session was given up meanwhile")
        return SessionTaken()

    async def _lease(self, target: SessionTarget, channel: Channel) -> None:
        streams = self._context.channels.streams
        await streams.obtain(channel)
        target.leases[channel] = streams.lease(channel)

    def _commit(self, nonce: bytes, commit: Commit) -> Answer:
        target = self._expected.get(nonce)
        if target is None:
            return SessionRefused("no such session is expected; it came too late, or twice", is_over=True)
        try:
            session = decode_session(commit.session)
            why = identity_problem(session, target.prepare.user, target.leases) or rights_refusal(
                self._context,
                session.user,
                (held.channel for held in session.held),
                session.rights,
                is_verified=session.credentials != ANONYMOUS,
            )
        except ProtocolError as error:
            why = str(error)
        if why:
            self._handle(nonce, TargetEvent.ABANDONED)
            self._publish_leaves(target)
            return SessionRefused(why)
        target.session = session
        if self._handle(nonce, TargetEvent.COMMIT) is None:
            return SessionRefused("the session was committed before")
        return SessionTaken()

    def _handle(self, nonce: bytes, event: TargetEvent) -> TargetAction | None:
        target = self._expected.get(nonce)
        action = target.handle(event) if target is not None else None
        if target is None or action is None:
            return None
        if action is TargetAction.SERVE:
            self._tasks.spawn(self._serve(nonce, target), name="resume a session")
        elif action is not TargetAction.NOTHING:
            del self._expected[nonce]
            target.release()
            self._count_given_up(target, event)
            if target.session is not None or event is TargetEvent.EXPIRED or event is TargetEvent.LOST:
                self._publish_leaves(target)  # a donor that abandons a session has published them itself
            if action is TargetAction.REFUSE and target.connection is not None:
                self._close_unserved(target, target.connection)
        return action

    def _count_given_up(self, target: SessionTarget, event: TargetEvent) -> None:
        """Count the outcome of a session that is given up here; of an abandoned one the donor counts it."""
        stats = self._context.stats
        if event is TargetEvent.EXPIRED and target.session is not None:
            stats.moves_apart += 1
        elif event is TargetEvent.EXPIRED and target.connection is not None:
            stats.moves_reconnected += 1
        elif event is not TargetEvent.ABANDONED:
            stats.moves_lost += 1

    def _publish_leaves(self, target: SessionTarget) -> None:
        for channel in target.unjoined:
            self._context.channels.presence.publish_leave(channel, target.info_in(channel))

    def _close_unserved(self, target: SessionTarget, connection: Connection) -> None:
        """Close a client whose session is given up: it connects anew, unless an order has cut it off meanwhile."""
        prepare = target.prepare
        end = self._orders.end_of(prepare.user, prepare.client, target.order_number)
        connection.close(*(end or (SERVICE_RESTART, "")))

    async def _serve(self, nonce: bytes, target: SessionTarget) -> None:
        """Continue the session: messages to the client are sent in their right order."""
        connection, session = target.connection, target.session
        assert connection is not None
        assert session is not None
        try:
            connection.resume(
                session.client,
                self._handler,
                session.credentials,
                ping_in_s=session.ping_in_s,
                ends_in_s=session.ends_in_s,
            )
            if connection.is_usable:
                self._context.expiry.watch(connection)
                connection.reply(list(session.replies))
                self._orders.end_session(connection, target.order_number)
                self._revoked.enforce(connection)
                for held in session.held:
                    await self._join(connection, held, target, session.rights.get(held.channel))
                self._revoked.enforce(connection)  # also what was revoked while it joined
                self._context.stats.resumed += 1
                await self._orders.catch_up(connection, target.order_number)
            else:
                self._context.stats.moves_lost += 1
            self._queues.carry_on(connection, [frame for frame in session.commands if frame != PING])
        except (EngineError, ProtocolError, TimeoutError, _Unknown) as error:
            _log.info("a session was not resumed", client=session.client, why=str(error))
            self._context.stats.moves_reconnected += 1
            self._close_unserved(target, connection)
        except Exception:
            _log.exception("a session was not resumed", client=session.client)
            self._context.stats.moves_reconnected += 1
            self._close_unserved(target, connection)
        finally:
            del self._expected[nonce]
            self._publish_leaves(target)  # of all channels that the lost client had not joined yet
            target.release()

    async def _join(
        self, connection: Connection, held: Held, target: SessionTarget, rights: SubscriptionRights | None
    ) -> None:
        """Send the missed publications of one channel, and join it in the same turn. Raise if they are not known."""
        channel = Channel(held.channel)
        watching = bool(held.flags & WATCHING) and will_watch(self._context, connection, channel, rights, asks=True)
        cut = Cut(held.epoch, held.offset, held.heard)
        streams = self._context.channels.streams
        async with asyncio.timeout(self._context.config.engine_deadline_s):
            missed = await streams.since(channel, cut, target.leases[channel], watching=watching)
        if missed is None:
            raise _Unknown(f"what came to {channel} since the cut is not all known")
        if connection.is_usable:
            connection.reply(missed)
            join(self._context, connection, channel, rights, watching=watching, silently=True)
            target.leases.pop(channel).release()
