"""Index of clients by their user. Anonymous clients are not in it: nobody asks for them, and they may be all.

Most users have one client, which is stored without a table of its own.
"""

from collections.abc import Hashable
from typing import Generic, TypeVar

Client = TypeVar("Client", bound=Hashable)


class UserIndex(Generic[Client]):
    """The clients of each user, in the order of their arrival."""

    __slots__ = ("_several", "_single")

    def __init__(self) -> None:
        self._single: dict[str, Client] = {}
        self._several: dict[str, dict[Client, None]] = {}  # of at least two

    def add(self, user: str, client: Client) -> None:
        """Add a client of `user`, which is not in the index yet."""
        if not user:
            return
        several = self._several.get(user)
        if several is not None:
            several[client] = None
        elif user in self._single:
            self._several[user] = {self._single.pop(user): None, client: None}
        else:
            self._single[user] = client

    def remove(self, user: str, client: Client) -> None:
        """Remove a client of `user`, if it is there."""
        several = self._several.get(user)
        if several is None:
            if self._single.get(user) == client:
                del self._single[user]
            return
        several.pop(client, None)
        if len(several) == 1:
            del self._several[user]
            self._single[user] = next(iter(several))

    def of(self, user: str) -> list[Client]:
        """Return the clients of `user`, the oldest first."""
        several = self._several.get(user)
        if several is not None:
            return list(several)
        return [self._single[user]] if user in self._single else []

    def count(self, user: str) -> int:
        """Return the number of clients of `user`."""
        several = self._several.get(user)
        return len(several) if several is not None else int(user in self._single)

    @property
    def users(self) -> int:
        """The number of users."""
        return len(self._single) + len(self._several)
