"""Client of one WebSocket at a node: its id, its credentials, and the rights of its subscriptions.

Clients without credentials, and subscriptions without rights of their own, share one object each, so that they cost
nothing.
"""

from collections.abc import Mapping

from ringway.core.credentials import ANONYMOUS, Credentials
from ringway.core.subscription_rights import SubscriptionRights
from ringway.node.connection.reading import ReadingSocket
from ringway.protocol.command import ClientInfo, raw_or_absent
from ringway.types import Channel

NO_RIGHTS: Mapping[Channel, SubscriptionRights] = {}
"""The rights of clients none of whose subscriptions has any. It is never changed."""


class IdentifiedSocket(ReadingSocket):
    """A base of `Connection`: who its client is."""

    __slots__ = ("client", "credentials", "rights")

    def __init__(self) -> None:
        super().__init__()
        self.client = ""
        self.credentials: Credentials = ANONYMOUS
        self.rights: Mapping[Channel, SubscriptionRights] = NO_RIGHTS

    @property
    def info(self) -> ClientInfo:
        """The client's description for other clients."""
        credentials = self.credentials
        return ClientInfo(credentials.user, self.client, raw_or_absent(credentials.info))

    def info_in(self, channel: Channel) -> ClientInfo:
        """Return the client's description for the other subscribers of `channel`."""
        info = self.info
        rights = self.rights.get(channel)
        if rights is not None:
            info.chan_info = raw_or_absent(rights.info)
        return info

    def set_rights(self, channel: Channel, rights: SubscriptionRights | None) -> None:
        """Record the rights of the subscription to `channel`; None: it has none of its own, or ends."""
        if rights is not None:
            self.rights = {**self.rights, channel: rights}
        elif channel in self.rights:
            self.rights = {name: each for name, each in self.rights.items() if name != channel} or NO_RIGHTS
