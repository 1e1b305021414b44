"""Context of commands: the parts of its node that a command may use, beside the connection that sent it."""

from dataclasses import dataclass
from random import Random

from ringway.core.recent_orders import RecentOrders
from ringway.hooks.hooks import Hooks
from ringway.node.channels.channels import Channels
from ringway.node.commands.expiry import Expiry
from ringway.node.commands.rpc_calls import RpcCalls
from ringway.node.commands.single_connections import SingleConnections
from ringway.node.commands.tokens import TokenChecks
from ringway.node.config.node import NodeConfig
from ringway.node.connection.connection import Connection
from ringway.node.connection.registry import ConnectionRegistry
from ringway.node.connection.shares import ClientShares
from ringway.node.stats import NodeStats
from ringway.types import NodeName


@dataclass(frozen=True, slots=True)
class CommandContext:
    """The context of one node, shared by all of its connections."""

    name: NodeName
    version: str
    config: NodeConfig
    channels: Channels
    stats: NodeStats
    rng: Random
    registry: ConnectionRegistry[Connection]
    tokens: TokenChecks
    expiry: Expiry
    rpc: RpcCalls
    hooks: Hooks
    single: SingleConnections
    shares: ClientShares
    orders: RecentOrders
