"""Exchanges of a gateway, the plain requests under way: admits them, finds their backends, and ends them."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from ringway.core.load import NodeLoad
from ringway.core.load.request import begin_request, end_request
from ringway.core.route import CLOSE_AT_END
from ringway.core.sticky.kind import COOKIE, LEARN_BYTES_MAX, id_in_head, ids_in_body
from ringway.core.sticky.table import SessionKey
from ringway.errors import NoNode, SessionUnknown, UpgradeError
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.exchange.exchange import Exchange, ExchangeClient
from ringway.gateway.exchange.pool import ConnectionPool
from ringway.gateway.exchange.request import (
    RoutedRequest,
    check_carried,
    encode_fields,
    encode_request,
    find_request,
    key_of,
    without_header,
)
from ringway.gateway.placement.address_limits import AddressLimits
from ringway.gateway.placement.affinity import Affinity
from ringway.gateway.placement.placers import Placers
from ringway.gateway.placement.routing import Routing
from ringway.gateway.placement.token_check import TokenCheck
from ringway.gateway.proxy.opener import Opener
from ringway.gateway.proxy.relay_tokens import RelayTokens
from ringway.gateway.proxy.upstream import Unreachable
from ringway.gateway.stats import GatewayStats
from ringway.gateway.sticky.sessions import Sessions
from ringway.logger import get_logger
from ringway.protocol.head import RequestHead
from ringway.protocol.message_head import AnswerHead
from ringway.protocol.response import retry_after
from ringway.tasks import Tasks
from ringway.types import Incarnation

_COME_AGAIN = (("Retry-After", "2"),)

_log = get_logger()


class Exchanges:
    """All plain requests that one gateway carries. Owns each of them, and the task that opens its connection.

    `requests_max` is the most at one time; the connections to backends have as many descriptors as the clients'.
    """

    def __init__(
        self,
        config: GatewayConfig,
        placers: Placers,
        routing: Routing,
        affinity: Affinity,
        opener: Opener,
        pool: ConnectionPool,
        stats: GatewayStats,
        limits: AddressLimits,
        tokens: TokenCheck,
        watched: RelayTokens,
        sessions: Sessions,
        requests_max: int,
    ) -> None:
        self._config = config
        self._placers = placers
        self._routing = routing
        self._affinity = affinity
        self._opener = opener
        self._pool = pool
        self._stats = stats
        self._limits = limits
        self._tokens = tokens
        self._watched = watched
        self._sessions = sessions
        self._requests_max = requests_max
        self._open: dict[Exchange, None] = {}
        self._at: Counter[Incarnation] = Counter()  # exchanges by backend, without those of sessions
        self._here: Counter[Incarnation] = Counter()  # all exchanges by backend
        self._opening = Tasks()
        self._tasks: dict[Exchange, asyncio.Task[None]] = {}
        self._none_left = asyncio.Event()
        self.is_stopping = False

    def __iter__(self) -> Iterator[Exchange]:
        """The exchanges under way at this moment."""
        return iter(list(self._open))

    @property
    def files(self) -> int:
        """The present and expected descriptors."""
        return len(self._open) + max(len(self._open), self._pool.files)

    def find_request(self, transport: asyncio.BaseTransport, head: RequestHead) -> RoutedRequest | None:
        """Return the route of a request; None if the route carries WebSockets alone. Raise `UpgradeError` 404."""
        return find_request(transport, head, self._affinity, self._routing)

    def admit(self, client: ExchangeClient, head: RequestHead, length: int, routed: RoutedRequest) -> Exchange:
        """Return the exchange for the request with `head` and a body of `length`; `start` must follow.

        Raise `UpgradeError` if the request cannot be carried.
        """
        expects = check_carried(head)
        stats = self._stats
        if len(self._open) >= self._requests_max:
            stats.exchange_failed["full"] += 1
            full = f"this gateway carries {self._requests_max} requests, its bound (http_requests_max); come again"
            raise UpgradeError(503, full, _COME_AGAIN)
        address = self._limits.client_address(client.transport, head)
        try:
            self._limits.begin_request(address, self._requests_max)
        except UpgradeError:
            stats.exchange_failed["full"] += 1
            raise
        exchange = Exchange(self, client, head, length, self._config)
        exchange.address, exchange.expects, exchange.group = address, expects, routed.route.group
        exchange.deadline = self._placers.clock() + self._config.http_idle_s
        self._open[exchange] = None
        stats.exchanges += 1
        stats.exchanges_open = len(self._open)
        return exchange

    def start(self, exchange: Exchange, routed: RoutedRequest) -> None:
        """Send the request to a backend, when its token was checked if the route asks for one."""
        exchange.routed = routed
        if routed.route.auth:
            self._spawn(exchange, partial(self._check_token, exchange, routed))
            return
        try:
            self._send(exchange, routed, exchange.head, None)
        except UpgradeError as error:
            exchange.fail(error, _cause(error))

    def count_at(self, incarnation: Incarnation) -> int:
        """Return how many exchanges are at one backend, without those of sessions, which count themselves."""
        return self._at[incarnation]

    def sessions_at(self, incarnation: Incarnation) -> int:
        """Return how many sessions that began here are at one backend."""
        return self._sessions.count_at(incarnation)

    def cut_at(self, incarnation: Incarnation) -> None:
        """End the exchanges and sessions at one backend, whose drain is over."""
        self._sessions.lose_at(incarnation)
        if self._here[incarnation]:
            for exchange in self:
                if exchange.node is not None and exchange.node.incarnation == incarnation:
                    exchange.fail(UpgradeError(503, "the backend is being taken out", _COME_AGAIN), "drained")

    def sweep(self) -> None:
        """End exchanges of which nothing moves, and idle connections; call it a few times a second."""
        now, config = self._placers.clock(), self._config
        for exchange in self:
            if exchange.is_active:
                exchange.is_active = False
                waits = exchange.is_whole and not exchange.is_answered
                exchange.deadline = now + (config.http_answer_deadline_s if waits else config.http_idle_s)
            elif now >= exchange.deadline and not exchange.expire():
                exchange.deadline = now + config.http_idle_s
        self._pool.sweep(now)
        self._sessions.sweep()

    async def stop(self) -> None:
        """Return when all exchanges are over: at `stop_deadline_s` the rest is cut."""
        self.is_stopping = True
        if self._open:
            self._none_left.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._config.stop_deadline_s):
                    await self._none_left.wait()
        for exchange in self:
            exchange.fail(UpgradeError(503, "the gateway is stopping", _COME_AGAIN), "stop")
        await self._opening.aclose()
        self._pool.close()

    # Calls of exchanges.

    def send_again(self, exchange: Exchange) -> None:
        """Send the request over a new connection to the same backend."""
        self._stats.exchange_retries += 1
        node = exchange.node
        assert node is not None
        self._spawn(exchange, partial(self._connect, exchange, (node,)))

    def on_answer(self, exchange: Exchange, answer: AnswerHead) -> str:
        """The head of the answer has come: learn the session that it begins; return further lines for the client."""
        self._stats.responses[answer.status] += 1
        routed, node = exchange.routed, exchange.node
        if routed is None or node is None or not routed.route.sticky:
            return ""
        route = routed.route
        if route.sticky == COOKIE:
            secure = routed.client.scheme == "https"
            return "" if exchange.pinned else self._sessions.cookie_line(route, node, secure=secure)
        if exchange.use.learns and answer.status < 300:
            self._sessions.learn(route, id_in_head(route.sticky, answer.headers), node)
            exchange.sniffed = b""
        if exchange.use.ends and answer.status < 300:
            self._sessions.on_ended(_key(exchange))
        return ""

    def on_content(self, exchange: Exchange, content: bytes) -> None:
        """Look for the id of a new session in the beginning of an answer's body."""
        routed, node, begin = exchange.routed, exchange.node, exchange.sniffed
        if routed is None or node is None or begin is None:
            return
        begin = exchange.sniffed = begin + content[: LEARN_BYTES_MAX - len(begin)]
        for number, each in enumerate(ids_in_body(routed.route.sticky, begin)):
            self._sessions.learn(routed.route, each, node, counts=number == 0)
        if len(begin) >= LEARN_BYTES_MAX:
            exchange.sniffed = None

    def on_over(self, exchange: Exchange, cause: str, *, reuse: bool) -> None:
        """Forget an exchange, which is over; with `reuse` its connection to the backend is kept."""
        del self._open[exchange]
        self._watched.forget(exchange)
        stats = self._stats
        stats.exchanges_open = len(self._open)
        if cause:
            stats.exchange_failed[cause] += 1
        self._limits.end_request(exchange.address)
        self._leave_node(exchange)
        if exchange.use.id:
            self._sessions.end_use(_key(exchange))
        connection = exchange.connection
        if connection is not None:
            if reuse:
                self._pool.keep_spare(connection)
            else:
                self._pool.drop_connection(connection)
        task = self._tasks.pop(exchange, None)
        if task is not None and task is not asyncio.current_task():
            task.cancel()
        if not self._open:
            self._none_left.set()

    # The way to a backend.

    async def _check_token(self, exchange: Exchange, routed: RoutedRequest) -> None:
        """Check the token of the request, and carry it on with its user."""
        head, claims = await self._tokens.admit(exchange.client.transport, exchange.head)
        self._tasks.pop(exchange, None)
        self._watched.watch(exchange, claims, ends=routed.route.auth_end == CLOSE_AT_END)
        self._send(exchange, routed, head, claims.sub)

    def _send(self, exchange: Exchange, routed: RoutedRequest, head: RequestHead, user: str | None) -> None:
        """Send the request to the backend of its session, or to one that is chosen for it."""
        exchange.head = head
        node: NodeLoad | None = None
        if routed.route.sticky:
            exchange.use, node, is_asked = self._sessions.find_now(routed.route, head)
            if is_asked:
                self._spawn(exchange, partial(self._ask_and_send, exchange, routed, user))
                return
        self._send_to(exchange, routed, node, user)

    async def _ask_and_send(self, exchange: Exchange, routed: RoutedRequest, user: str | None) -> None:
        """Ask the other gateways for the session of the request, and send it to its backend."""
        node = await self._sessions.find(routed.route, exchange.use)
        self._tasks.pop(exchange, None)
        self._send_to(exchange, routed, node, user)

    def _send_to(self, exchange: Exchange, routed: RoutedRequest, node: NodeLoad | None, user: str | None) -> None:
        """Send the request to `node`, or to a chosen one: at once over an idle connection, or over a new one."""
        config, placer, head = self._config, self._placers[routed.route.group], exchange.head
        exchange.pinned = node is not None
        key = key_of(exchange.client.transport, head, routed.keys, self._affinity, user)
        try:
            nodes = (node,) if node is not None else placer.choose(key)
        except NoNode as error:
            pause = (("Retry-After", retry_after(placer.pause_s(error))),)
            exchange.fail(UpgradeError(503, str(error), pause), "no_node")
            return
        if exchange.use.id:
            if node is None:
                self._sessions.learn(routed.route, exchange.use.id, nodes[0])
                nodes = nodes[:1]
            self._sessions.begin_use(_key(exchange))
        if exchange.use.learns:  # its answer is read
            head = without_header(head, "accept-encoding")
        exchange.fields = encode_fields(
            head, routed, exchange.length, config.auth_user_header, user or "", expects=exchange.expects
        )
        address = self._opener.address_at(nodes[0])
        spare = self._pool.take_spare(address)
        if spare is None:
            self._spawn(exchange, partial(self._connect, exchange, nodes))
            return
        self._enter_node(exchange, nodes[0])
        exchange.request = encode_request(head, address, self._opener.backend_at(nodes[0]), exchange.fields)
        exchange.attach(spare)

    async def _connect(self, exchange: Exchange, nodes: Sequence[NodeLoad]) -> None:
        """Connect to the first of `nodes` that accepts, and send the request there."""
        for number, node in enumerate(nodes):
            self._enter_node(exchange, node)
            address = self._opener.address_at(node)
            try:
                connection = await self._pool.open_new(address)
            except Unreachable as error:
                _log.info("a backend did not accept a request", node=node.name, error=str(error))
                if number + 1 == len(nodes):
                    if exchange.use.id and exchange.routed is not None:
                        raise self._sessions.on_unreachable(exchange.routed.route, exchange.use.id) from None
                    raise
                self._stats.exchange_retries += 1
                continue
            self._tasks.pop(exchange, None)
            exchange.request = encode_request(exchange.head, address, self._opener.backend_at(node), exchange.fields)
            exchange.attach(connection)
            return

    def _enter_node(self, exchange: Exchange, node: NodeLoad) -> None:
        """Count the exchange at `node`, and no more at the node before."""
        self._leave_node(exchange)
        exchange.node = node
        self._here[node.incarnation] += 1
        if not exchange.use.id:
            self._at[node.incarnation] += 1
            begin_request(self._placers[exchange.group].view, node)

    def _leave_node(self, exchange: Exchange) -> None:
        node, exchange.node = exchange.node, None
        if node is not None:
            _drop_one(self._here, node.incarnation)
            if not exchange.use.id:
                _drop_one(self._at, node.incarnation)
                end_request(self._placers[exchange.group].view, node)

    def _spawn(self, exchange: Exchange, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._tasks[exchange] = self._opening.spawn(self._guard(exchange, work), name="opening of an exchange")

    async def _guard(self, exchange: Exchange, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do `work`; its failure is the exchange's."""
        try:
            await work()
        except UpgradeError as error:
            exchange.fail(error, _cause(error))
        except asyncio.CancelledError:
            raise
        except Exception:
            _log.exception("a request failed by a fault of the gateway")
            exchange.fail(UpgradeError(500, "the gateway has failed"), "fault")


def _key(exchange: Exchange) -> SessionKey:
    assert exchange.routed is not None
    return exchange.routed.route.group, exchange.routed.route.sticky, exchange.use.id


def _drop_one(counts: "Counter[Incarnation]", incarnation: Incarnation) -> None:
    counts[incarnation] -= 1
    if not counts[incarnation]:
        del counts[incarnation]


def _cause(error: UpgradeError) -> str:
    if isinstance(error, SessionUnknown):
        return "session"
    if isinstance(error, Unreachable):
        return "timeout" if error.status == 504 else "unreachable"
    return "token" if error.status in (400, 401, 403) else "answer"
