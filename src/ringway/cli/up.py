"""`ringway up`: a whole system on this machine, with one command."""

import sys
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ringway.admin.member import Cluster
from ringway.app.config import Layer, Loaded, load_config
from ringway.app.log import stream_descriptor
from ringway.app.log_writer import LogWriter
from ringway.app.state import Running, open_private, state_dir
from ringway.app.visible import visible
from ringway.cli.counted import counted
from ringway.cli.option import ConfigFile, StateDir, takes_settings
from ringway.cli.process import run_process
from ringway.cli.up_page import first_page
from ringway.core.route_spec import read_routes

if TYPE_CHECKING:
    from ringway.app.up import Show, Tell

SCREEN_BYTES_MAX = 1 << 20
"""Bytes that may wait for the terminal; further lines are lost, and their number is printed."""


@takes_settings(
    "up",
    "engine",
    "token",
    "subscription_token",
    "log",
    own=("up", "gateway", "static"),
    only=(
        "gateway.host",
        "gateway.port",
        "gateway.policy",
        "gateway.routes",
        "gateway.pages",
        "gateway.tls_cert",
        "gateway.tls_key",
        "admin.port",
        "static.backends",
        "static.backends_file",
        "registration.port",
        "http_api.port",
        "http_api.key_file",
        "http_api.insecure",
        "rpc.functions",
        "rpc.allow_for_anonymous",
        "postgresql.dsn_file",
        "postgresql.outbox_table_name",
        "postgresql.partition_notification_channel",
        "postgresql.rejected_table_name",
    ),
)
def up(flags: Layer, config_file: ConfigFile = None, state: StateDir = None) -> None:
    """Start NATS, a gateway and nodes as separate processes, and keep them running until Ctrl-C.

    Everything listens on this machine only. All other settings of gateway and nodes come from a file or the
    environment; `ringway config show` lists them. The other commands find the system by its state directory.
    """
    from ringway.app.start_check import start_problems

    # Groups may come with channel nodes, and by registration.
    loaded = load_config(flags=flags, file=config_file, check=partial(start_problems, joins=True))
    directory = state_dir(state)
    option = f" --state {directory}" if state else ""
    log = open_private(directory, "up.log")
    # The terminal may be stopped (Ctrl-S), or a pipe without a reader: the running system must not wait for it.
    screen = LogWriter(
        stream_descriptor(sys.stdout),
        SCREEN_BYTES_MAX,
        lambda count: f"{counted(count, 'line')} {'was' if count == 1 else 'were'} lost here",
        encoding=getattr(sys.stdout, "encoding", "utf-8"),
        errors=getattr(sys.stdout, "errors", "replace"),
    )

    def show(running: Running, cluster: Cluster) -> None:
        config = loaded.config
        has_backends = config.static.has_backends or not config.up.nodes
        screen.write(
            first_page(
                running,
                cluster,
                option,
                has_backends=has_backends,
                has_pages=bool(config.gateway.pages),
                routes=read_routes(config.gateway.routes),
            )
        )

    def tell(line: str) -> None:
        screen.write(f"{datetime.now().astimezone():%H:%M:%S} {visible(line)}")

    try:
        run_process(loaded, lambda _: _run(loaded, directory, config_file, show, tell), log)
    finally:
        screen.close(loaded.config.log.flush_s)


async def _run(loaded: Loaded, directory: Path, config_file: str | None, show: "Show", tell: "Tell") -> int:
    from ringway.app.up import run_up

    return await run_up(loaded, directory, config_file, show=show, tell=tell)
