"""`ringway node`: runs a channel node in this process."""

from ringway.app.config import Layer, load_joined
from ringway.cli.option import ConfigFile, StateDir, takes_settings
from ringway.cli.process import run_process
from ringway.errors import ConfigError


@takes_settings(
    "node", "http_api", "postgresql", "rpc", "member", "engine", "token", "subscription_token", "admin", "log",
    own=("node",),
)  # fmt: skip
def node(flags: Layer, config_file: ConfigFile = None, state: StateDir = None) -> None:
    """Run a channel node: a server that holds clients' connections, and gets its share of them at once.

    It joins the system that `ringway up` runs on this machine, or the system at --engine. Name and port are chosen if
    they are not given. The balancer then moves its fair share of connections to it, and no more.
    """
    from ringway.app.start_check import node_problems

    loaded = load_joined(flags=flags, file=config_file, state=state, check=node_problems)
    config = loaded.config
    if config.static.has_backends and not config.engine.url:
        setting = "static.backends" if config.static.backends else "static.backends_file"
        raise ConfigError(
            f"{setting} ({loaded.origin(setting)}) is for gateways, and with it no running system is looked for; leave "
            "it out where a node starts, or name the engine with --engine"
        )
    from ringway.app.compose.node import run_node

    run_process(loaded, lambda log: run_node(config, log))
