"""Environment of a node: the arguments of all of its parts."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from ringway.auth.verifier import TokenVerifier
from ringway.core.message_refusals import MessageRefusals
from ringway.core.revocations import Revocations
from ringway.node.config.node import NodeConfig
from ringway.node.config.rpc import RpcOffer
from ringway.node.stats import NodeStats
from ringway.ports import Engine
from ringway.protocol.keyring import Keyring
from ringway.protocol.ticket import TicketSigner
from ringway.types import Incarnation, NodeName


@dataclass(frozen=True, slots=True)
class NodeEnvironment:
    """An argument of the constructors of a node's parts. `clock` is monotonic and `wall` Unix time, in seconds."""

    config: NodeConfig
    name: NodeName
    incarnation: Incarnation
    engine: Engine
    keyring: Keyring
    signer: TicketSigner
    clock: Callable[[], float]
    wall: Callable[[], float]
    rng: Random
    refusals: MessageRefusals
    verifier: TokenVerifier | None = None
    rpc: RpcOffer = field(default_factory=RpcOffer)
    revocations: Revocations = field(default_factory=Revocations)
    stats: NodeStats = field(default_factory=NodeStats)
