"""`ringway node`: runs a channel node in this process."""

from ringway.app.config import Layer, load_joined
from ringway.cli.option import ConfigFile, StateDir, takes_settings
from ringway.cli.process import run_process
from ringway.errors import ConfigError


@takes_settings("node", "member", "engine", "admin", "log", own=("node",))
def node(flags: Layer, config_file: ConfigFile = None, state: StateDir = None) -> None:
    """Run a channel node: a server that holds clients' connections, and a share of them at once.

    It joins the system that `ringway up` runs on this machine, or the one at --engine; name and port are chosen
    where they are not given. The balancer then moves to it what is its fair share, and no connection more.
    """
    loaded = load_joined(flags=flags, file=config_file, state=state)
    config = loaded.config
    if config.static.backends:
        origin = loaded.origin("static.backends")
        raise ConfigError(f"static.backends ({origin}) is for gateways without nodes; leave it out where a node starts")
    from ringway.app.compose.node import run_node

    run_process(loaded, lambda log: run_node(config, log))
