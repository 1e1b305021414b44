"""Events of a client's connection, for programs that watch it."""

from dataclasses import dataclass

from ringway.types import Channel, NodeName


@dataclass(frozen=True, slots=True)
class Connected:
    """The client is connected to `node`, with the id `client`; `moved`: after a move without its session."""

    node: NodeName
    client: str
    moved: bool


@dataclass(frozen=True, slots=True)
class Moved:
    """The client was moved with its session to a new node, without a loss."""

    before: NodeName
    node: NodeName


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection to `node` ended. `move_to` is the node that a move leads to, to connect there anew.

    `retry_in_s` is the pause before the next attempt, None if there will be none.
    """

    node: NodeName
    code: int
    reason: str
    move_to: NodeName | None
    retry_in_s: float | None


@dataclass(frozen=True, slots=True)
class Failed:
    """An attempt to connect failed with `error`; the next attempt is made in `retry_in_s`."""

    error: Exception
    retry_in_s: float


@dataclass(frozen=True, slots=True)
class Gap:
    """Publications of `channel` may be missing: the client came back, and the server could not return all missed ones.

    Data that must be complete has to be loaded again. The next publication has `after_gap`.
    """

    channel: Channel


Event = Connected | Moved | Disconnected | Failed | Gap
