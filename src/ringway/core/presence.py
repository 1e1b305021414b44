"""Union of the nodes' answers about the subscribers of one channel, with later changes at this node.

A session on its way is in the answer of its donor, of its target, or of both. While all clients are named they are
joined by their ids, so each is present and counted once. Otherwise the sessions that come count unless their donor
still counts them.

Moves do not change the union: moved clients are in it already. Joins and leaves at this node do (`join`, `leave`).
"""

from collections.abc import Iterable

from ringway.protocol.command import ClientInfo
from ringway.protocol.presence import PresenceAnswer

USERS_TOTAL_MAX = 100_000
"""The maximum of distinct users; the number of users of a larger channel is a lower bound."""

CHANGES_MAX = 1000
"""The maximum of joins and leaves at this node in a union; after that the nodes are to be asked again."""


class PresenceUnion:
    """The subscribers of one channel. They are named while they are at most `clients_max`."""

    __slots__ = ("_changes", "_clients", "_clients_max", "_coming", "_count", "_leaving", "_present", "_users", "nodes")

    def __init__(self, clients_max: int) -> None:
        self._clients_max = clients_max
        self._clients: dict[str, ClientInfo] | None = {}  # None: too many, or not named
        self._users: set[str] = set()
        self._coming: set[str] = set()
        self._leaving: set[str] = set()
        self._count = 0
        self._changes = 0
        self._present: set[bytes] = set()
        self.nodes: set[bytes] = set()
        """The nodes whose answers are in the union."""

    @property
    def present(self) -> frozenset[bytes]:
        """The nodes that named or counted subscribers."""
        return frozenset(self._present)

    @property
    def clients(self) -> dict[str, ClientInfo] | None:
        """The subscribers by id, not to be changed; None if they are not all named."""
        return self._clients

    @property
    def count(self) -> int:
        """The number of subscribers."""
        if self._clients is not None:
            return len(self._clients)
        return max(0, self._count + len(self._coming - self._leaving))

    @property
    def users(self) -> int:
        """The number of their users. It may include users that left this node since the answers."""
        if self._clients is not None:
            return len({info.user for info in self._clients.values()})
        return len(self._users)

    def add(self, node: bytes, answer: PresenceAnswer) -> None:
        """Add the answer of `node`; only its first answer counts."""
        if node in self.nodes:
            return
        self.nodes.add(node)
        if answer.count or answer.coming:
            self._present.add(node)
        self._count += answer.count
        self._coming.update(answer.coming)
        self._leaving.update(answer.leaving)
        self._add_users(answer.users)
        if self._clients is None:
            self._add_users(info.user for info in answer.clients.values())
        elif answer.is_named:
            self._clients.update(answer.clients)
            self._check_number()
        else:
            self._forget_names()

    def join(self, info: ClientInfo) -> bool:
        """Record a later join at this node; return False if the union cannot be used any more."""
        self._count += 1
        if self._clients is None:
            self._add_users((info.user,))
        else:
            self._clients[info.client] = info
            self._check_number()
        return self._note_change()

    def leave(self, client: str) -> bool:
        """Record a later leave at this node; return False if the union cannot be used any more."""
        self._count -= 1
        if self._clients is not None:
            self._clients.pop(client, None)
        return self._note_change()

    def _note_change(self) -> bool:
        self._changes += 1
        return self._changes <= CHANGES_MAX

    def _check_number(self) -> None:
        if self._clients is not None and len(self._clients) > self._clients_max:
            self._forget_names()

    def _forget_names(self) -> None:
        clients, self._clients = self._clients, None
        self._add_users(info.user for info in (clients or {}).values())

    def _add_users(self, users: Iterable[str]) -> None:
        for user in users:
            if len(self._users) >= USERS_TOTAL_MAX:
                return
            self._users.add(user)
