"""Opening of WebSockets at nodes: chooses a node, forwards the handshake, and tries alternates if the node fails.

The time until each node's 101 is measured here, for the policy by response time. Only the handshake is timed: a
WebSocket of an hour is not an answer of an hour.
"""

import asyncio
from collections.abc import Callable

from ringway.core.load import NodeLoad
from ringway.core.on_move import resolve_on_move
from ringway.core.route import GroupRoute
from ringway.errors import NoNode, UpgradeError
from ringway.gateway.cluster.outliers import Failure, NodeFailures
from ringway.gateway.placement.placer import Place
from ringway.gateway.placement.placers import Placers
from ringway.gateway.proxy.addresses import NodeAddresses
from ringway.gateway.proxy.rewrite import refusal_headers
from ringway.gateway.proxy.upgrade_request import UpgradeRequest
from ringway.gateway.proxy.upstream import Answer, Unreachable
from ringway.gateway.stats import GatewayStats
from ringway.logger import get_logger
from ringway.protocol.backend import Backend, OnMove
from ringway.protocol.move import moved_header
from ringway.protocol.response import REFUSED, read_error, retry_after
from ringway.protocol.server_address import ServerAddress
from ringway.protocol.upgrade import Upgrade, check_response, value_of
from ringway.types import NodeName

ADAPTED_MAX = 1000
"""The number of stored pairs of a route and a backend; above the bound they are made anew."""

_log = get_logger()


class Refusal(UpgradeError):
    """A node refused the handshake, or redirected it, with an answer for its client."""

    def __init__(self, answer: Answer) -> None:
        said = read_error(answer.body)
        headers = refusal_headers(answer.headers)
        if answer.cut and value_of(headers, "content-encoding") is not None:  # a part of an encoded body is useless
            headers = tuple((name, value) for name, value in headers if not name.startswith("content-"))
            answer.body = b""
        super().__init__(answer.status, f"the node refused with {answer.status}{said and f' ({said})'}", headers)
        self.body = answer.body
        self.cause = value_of(answer.headers, REFUSED) or ""  # empty: no node has answered


def no_backend(name: NodeName) -> None:
    """Return None: no backend is known."""


class Opener:
    """Opens WebSockets at nodes. It returns only valid, checked WebSockets (PROTOCOL.md P-2.4).

    `backend` returns the description of a backend: a node that knows nothing of Ringway.
    """

    def __init__(
        self,
        placers: Placers,
        addresses: NodeAddresses,
        stats: GatewayStats,
        backend: Callable[[NodeName], Backend | None] = no_backend,
        failures: NodeFailures | None = None,
    ) -> None:
        self._placers = placers
        self._adapted: dict[tuple[GroupRoute, NodeName], tuple[Backend, Backend]] = {}
        self._addresses = addresses
        self._stats = stats
        self._backend = backend
        self._failures = failures

    def backend_of(self, node: NodeLoad, route: GroupRoute) -> Backend | None:
        """Return the backend at `node`, with the options of `route`; None if it is a channel node, or unknown."""
        backend = self._backend(node.name) if node.is_backend else None
        if backend is None or route.is_plain:
            return backend
        known = self._adapted.get((route, node.name))
        if known is None or known[0] is not backend:
            if len(self._adapted) >= ADAPTED_MAX:
                self._adapted.clear()
            known = self._adapted[route, node.name] = backend, route.adapt(backend)
        return known[1]

    def address_at(self, node: NodeLoad) -> ServerAddress:
        """Return the address at which `node` is asked; raise `Unreachable` if its URL cannot be used."""
        backend = self.backend_at(node)
        return backend.address if backend is not None else self._addresses.address_of(node)

    def backend_at(self, node: NodeLoad) -> Backend | None:
        """Return the backend at `node` as its source describes it; None if it is a channel node, or unknown."""
        return self._backend(node.name) if node.is_backend else None

    def on_move(self, node: NodeLoad, upgrade: UpgradeRequest) -> OnMove:
        """Return the action for the WebSocket of `upgrade` at `node` that is to be moved, or whose node is lost."""
        if not node.is_backend:
            return OnMove.FOLLOW
        backend = self.backend_of(node, upgrade.route)
        if backend is None:
            return OnMove.CLOSE
        path = self._addresses.address_of(node).prefix + upgrade.path
        offers = bool(upgrade.handshake.protocols)
        on_move = resolve_on_move(backend.on_move, path, upgrade.asked, subprotocols=offers)
        return OnMove.CLOSE if on_move is OnMove.REOPEN and upgrade.holds_context else on_move

    async def open(self, upgrade: UpgradeRequest) -> tuple[Place, Answer]:
        """Return a place and the good answer of its node; try alternates if nodes fail."""
        query, placer = upgrade.query, self._placers[upgrade.route.group]
        moved = placer.moved(query.node, query.ticket) if query.node and query.ticket else None
        if moved is not None:
            place = Place(moved, query.ticket, (), held=False)
            try:
                return place, await self._try(upgrade, place)
            except Unreachable:
                self._stats.retries += 1
            except Refusal as error:
                if error.status != 403:  # the bearer of a used ticket gets an alternate
                    raise
        return await self._try_each(upgrade, await self._place(upgrade, promises=True))

    async def open_at(self, upgrade: UpgradeRequest, node: NodeLoad) -> tuple[Place, Answer]:
        """As `open`, at `node` alone, which has the session that the WebSocket belongs to."""
        return await self._try_each(upgrade, self._placers[upgrade.route.group].place_at(node, ()))

    async def reopen(self, upgrade: UpgradeRequest, left: NodeLoad, *, moved: str) -> tuple[Place, Answer]:
        """As `open`, for a WebSocket that was open at `left`, which is tried last. `moved` is "moved" or "lost"."""
        place = await self._place(upgrade)
        if place.node is left and place.alternates:
            placer = self._placers[upgrade.route.group]
            placer.give_up(place)
            place = placer.place_at(place.alternates[0], (*place.alternates[1:], left))
        return await self._try_each(upgrade, place, moved_header(moved, left.name))

    async def reopen_at(self, upgrade: UpgradeRequest, target: NodeLoad, left: NodeLoad) -> tuple[Place, Answer]:
        """As `reopen`, at `target` first. If `target` refuses, other nodes are asked, `left` at last, which is
        alive."""
        moved, placer = moved_header("moved", left.name), self._placers[upgrade.route.group]
        try:
            return await self._try_each(upgrade, placer.place_at(target, ()), moved)
        except UpgradeError:
            self._stats.retries += 1
        try:
            place = await self._place(upgrade)
            others = [node for node in (place.node, *place.alternates) if node is not target and node is not left]
            placer.give_up(place)
        except NoNode:
            others = []
        for node in others:
            try:
                return await self._try_each(upgrade, placer.place_at(node, ()), moved)
            except UpgradeError:
                self._stats.retries += 1
        return await self._try_each(upgrade, placer.place_at(left, ()), moved)

    async def follow(self, upgrade: UpgradeRequest, node: NodeLoad, ticket: str) -> Answer:
        """Return the good answer of `node`, the next node of the session of `ticket`. The node is asked once.

        The time is not measured: the node may wait for the last message of its donor.
        """
        return await self._request(upgrade, Place(node, ticket, (), held=False), resume=True)

    async def _place(self, upgrade: UpgradeRequest, *, promises: bool = False) -> Place:
        """Wait for the client's slot, and return its place; with `promises`, its promised place."""
        place = self._placers[upgrade.route.group].place(upgrade.key, upgrade.address, held=True, promises=promises)
        if place.wait_s:
            await asyncio.sleep(place.wait_s)
        return place

    async def _try_each(self, upgrade: UpgradeRequest, place: Place, moved: str = "") -> tuple[Place, Answer]:
        """Return the place and the good answer of the first node that opens the WebSocket; blame the nodes before it.

        Raise the error of the last node that was tried.
        """
        failed: list[Failure] = []
        while True:
            try:
                answer = await self._try(upgrade, place, moved)
            except (Unreachable, Refusal) as error:
                if not place.alternates or not self._may_do_better(upgrade, place, error):
                    raise
                if error.status != 503:  # it accepts no more clients now: not a failure
                    failed.append(Failure(place.node, str(error)))
            else:
                if self._failures is not None:
                    self._failures.judge(place.node, failed)
                return place, answer
            self._stats.retries += 1
            place = self._placers[upgrade.route.group].place_at(place.alternates[0], place.alternates[1:])

    def _may_do_better(self, upgrade: UpgradeRequest, place: Place, error: Unreachable | Refusal) -> bool:
        """Return True if the next node may open the WebSocket that the node at `place` did not open.

        Nodes name the cause of a refusal. A request that is wrong is wrong at every node. A path may be served by nodes
        that report it in their URL. An answer without a cause does not come from a node.
        """
        if isinstance(error, Unreachable):
            return True
        if place.node.is_backend:
            return False
        if error.cause == "path":
            return any(self._addresses.path_of(node) == upgrade.path for node in place.alternates)
        return error.cause in ("", "ticket")

    async def _try(self, upgrade: UpgradeRequest, place: Place, moved: str = "") -> Answer:
        """Return the answer of the node at `place` if it opens the WebSocket; otherwise release the place and raise."""
        response, placer = place.node.response, self._placers[upgrade.route.group]
        begun = placer.clock()
        response.opening += 1
        try:
            answer = await self._request(upgrade, place, moved)
        except BaseException as error:
            placer.give_up(place)
            now = placer.clock()
            if isinstance(error, asyncio.CancelledError):
                response.observe_at_least(
                    now - begun, now
                )  # the time for all tries is over, so this try may have been short
            elif not isinstance(error, Refusal):  # a quick refusal does not show a quick node
                response.failed(now)
            if isinstance(error, UpgradeError):
                detail = {"why": str(error.__cause__)} if error.__cause__ is not None else {}
                _log.info("a node did not open a websocket", node=place.node.name, error=str(error), **detail)
            raise
        finally:
            response.opening -= 1
        now = placer.clock()
        response.observe(now - begun, now)
        return answer

    async def _request(self, upgrade: UpgradeRequest, place: Place, moved: str = "", *, resume: bool = False) -> Answer:
        backend = self.backend_of(place.node, upgrade.route)
        address = self._addresses.address_of(place.node) if backend is None else backend.address
        extensions = upgrade.extensions_for(self.on_move(place.node, upgrade))
        asked = Upgrade(upgrade.handshake.key, upgrade.handshake.protocols, extensions)
        if not place.node.is_backend:
            query = upgrade.query.for_node(upgrade.key, place.ticket, resume=resume)
            proof = self._placers[upgrade.route.group].prove(place.ticket, upgrade.told)
            request = upgrade.encode(upgrade.path, query, extensions=extensions, proof=proof)
        else:  # only backends have their own path: a node serves the path of the client's request
            host = backend.host if backend is not None else ""
            path = address.prefix + upgrade.path
            request = upgrade.encode(path, upgrade.asked, extensions=extensions, host=host, moved=moved)
        answer = await self._addresses.send_request(address, request)
        try:
            self._check_status(answer, upgrade)
            check_response(asked, answer.status, answer.version, answer.headers)
            upgrade.agree(answer.headers)
        except UpgradeError:
            answer.transport.abort()
            raise
        return answer

    def _check_status(self, answer: Answer, upgrade: UpgradeRequest) -> None:
        """Raise `Refusal` for an answer that the client must get, `Unreachable` if an alternate may do better."""
        status = answer.status
        if 300 <= status < 500:  # the client may follow a redirect itself
            raise Refusal(answer)
        if status == 503:
            pause = value_of(answer.headers, "retry-after") or retry_after(self._placers[upgrade.route.group].pause_s())
            raise Unreachable(503, "the node takes no more now", (("Retry-After", pause),))
        if status >= 500:
            raise Unreachable(502, f"the node answered {status} to a WebSocket handshake")
