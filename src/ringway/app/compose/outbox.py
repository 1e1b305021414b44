"""The outbox of a node: its consumer, loaded only if there is a database, and its service."""

from importlib.util import find_spec
from random import Random
from typing import TYPE_CHECKING

from ringway.app.shutdown import Job, Step
from ringway.errors import ConfigError
from ringway.outbox.config import PostgresqlConfig, read_dsn

if TYPE_CHECKING:  # a process loads only the components that it runs
    from ringway.app.config import Config
    from ringway.node.server import ChannelNode
    from ringway.node.server_api.stats import ServerApiStats
    from ringway.outbox.consumer import OutboxConsumer


def check_outbox(config: PostgresqlConfig) -> None:
    """Raise `ConfigError` if the library is missing, or the file with the address cannot be used."""
    if not config.is_used:
        return
    if find_spec("asyncpg") is None:
        raise ConfigError("the outbox needs a library for PostgreSQL; pip install 'ringway[postgres]'")
    read_dsn(config)


def open_outbox(config: "Config", node: "ChannelNode", stats: "ServerApiStats") -> "OutboxConsumer | None":
    """Return the consumer of the outbox for `node`; None if there is no database. Raise `ConfigError`."""
    settings = config.postgresql
    if not settings.is_used:
        return None
    check_outbox(settings)
    from ringway.node.server_api.rows import OutboxCalls
    from ringway.outbox.consumer import OutboxConsumer

    calls = OutboxCalls(node.api_methods(config.http_api), stats, node.clients.channels.namespaces)
    return OutboxConsumer(settings, calls.carry_out, node.name, Random())


def serve_outbox(outbox: "OutboxConsumer | None") -> list[Job]:
    """Return the job that carries out rows, if there is an outbox."""
    return [Job("outbox", outbox.run())] if outbox else []


def close_outbox(outbox: "OutboxConsumer | None") -> list[Step]:
    """Return the step of the shutdown that ends an outbox, while its node can still publish."""
    return [Step("finish the rows of the outbox that are under way", outbox.stop)] if outbox else []
