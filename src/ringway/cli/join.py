"""`ringway join`: registers a server of any kind as a backend, and runs it."""

from typing import Annotated

from ringway.app.config import Layer, load_config
from ringway.app.state import state_dir
from ringway.cli.command import Argument
from ringway.cli.option import ConfigFile, StateDir, takes_settings
from ringway.cli.process import run_process


@takes_settings("join", "log", own=("join",))
def join(
    flags: Layer,
    url: Annotated[str, Argument(metavar="URL", help="Where the server listens: ws://127.0.0.1:9000.")],
    command: Annotated[
        list[str] | None,
        Argument(metavar="[-- COMMAND...]", help="What starts the server, without a shell; {port} is its port."),
    ] = None,
    config_file: ConfigFile = None,
    state: StateDir = None,
) -> None:
    """Register a WebSocket server of any kind as a backend, and run it: a sidecar for servers that know nothing of us.

    It starts COMMAND if it is given, registers the server at a gateway when its port answers, and renews the lease. On
    SIGTERM the gateways lead its clients away first; then COMMAND gets the signal. SIGINT is quick, a second signal
    ends at once. When COMMAND ends, so does the sidecar, with the same exit code. With --workers it runs several
    servers, each a backend of its own, and restarts a server that ends.

    Example: ringway join ws://127.0.0.1:9000 --at http://gateway:7400 -- uvicorn app:app --port 9000
    """
    loaded = load_config(flags=flags, file=config_file)
    directory = state_dir(state)
    config, words = loaded.config, command or []
    from ringway.app.compose.join import run_join

    run_process(loaded, lambda _: run_join(config, url, words, directory))
