"""`ringway gateway`: runs a gateway in this process."""

from functools import partial

from ringway.app.config import Layer, load_joined
from ringway.app.state import find_running, state_dir
from ringway.cli.option import ConfigFile, StateDir, takes_settings
from ringway.cli.process import run_process
from ringway.errors import ConfigError
from ringway.logger import get_logger

_log = get_logger()


@takes_settings(
    "gateway",
    "static",
    "load",
    "kubernetes",
    "eureka",
    "member",
    "engine",
    "balance",
    "admin",
    "registration",
    "token",
    "log",
    own=("gateway", "static", "load"),
)
def gateway(flags: Layer, config_file: ConfigFile = None, state: StateDir = None) -> None:
    """Run a gateway: it finds a node for each client, or carries the client's connection to a node.

    It joins the system that `ringway up` runs on this machine, or the system at --engine. With --backend it needs no
    system: it balances WebSockets over the given servers, which can be written in any language. With --backend and
    --engine all gateways of the system share the backends.

    Example: ringway gateway --port 8000 --backend ws://127.0.0.1:9001 --backend ws://127.0.0.1:9002,weight=2
    """
    from ringway.app.start_check import gateway_start_problems

    check = partial(gateway_start_problems, joins=bool(state))
    loaded = load_joined(flags=flags, file=config_file, state=state, may_be_alone=True, check=check)
    config = loaded.config
    from ringway.app.compose.gateway import run_gateway

    beside = "" if config.engine.url else _running_here()

    def tell_alone() -> None:
        if beside:
            _log.warning(
                "this gateway is alone, and shares nothing with the system that runs here", system=beside,
                remedy="to join it, name its state directory by --state",
            )  # fmt: skip

    run_process(loaded, lambda log: run_gateway(config, log, on_started=tell_alone))


def _running_here() -> str:
    """Return the URL of the gateway of the system that runs on this machine; empty if there is no system."""
    try:
        running = find_running(state_dir())
    except ConfigError:  # no home directory, and so no system
        return ""
    return running.gateway_url if running is not None else ""
