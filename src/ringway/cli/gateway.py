"""`ringway gateway`: runs a gateway in this process."""

from ringway.app.config import Layer, load_joined
from ringway.cli.option import ConfigFile, StateDir, takes_settings
from ringway.cli.process import run_process
from ringway.errors import ConfigError


@takes_settings(
    "gateway", "static", "load", "member", "engine", "balance", "admin", "log", own=("gateway", "static", "load")
)
def gateway(flags: Layer, config_file: ConfigFile = None, state: StateDir = None) -> None:
    """Run a gateway: the front door that finds a node for each client, or carries the client to one.

    It joins the system that `ringway up` runs on this machine, or the one at --engine. With --backend it needs
    neither: then it balances WebSockets over the given servers, whatever they are written in.

    Example: ringway gateway --port 8000 --backend ws://127.0.0.1:9001 --backend ws://127.0.0.1:9002,weight=2
    """
    loaded = load_joined(flags=flags, file=config_file, state=state)
    if loaded.config.static.backends and state:
        origin = loaded.origin("static.backends")
        raise ConfigError(f"--state {state} names a system to join, and static.backends ({origin}) need none; give one")
    loaded.check_policy()
    config = loaded.config
    from ringway.app.compose.gateway import run_gateway

    run_process(loaded, lambda log: run_gateway(config, log))
