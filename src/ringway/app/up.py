"""A whole system on one machine, each part a process of its own: what `ringway up` does."""

import asyncio
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import msgspec

from ringway.admin.member import Cluster, describe
from ringway.app.config import CONFIG_FILE_ENV, STATE_DIR_ENV, Loaded, all_fields
from ringway.app.engine import (
    LOGIN_SETTINGS,
    TLS_SETTINGS,
    EngineConfig,
    open_engine,
    read_secret,
    settled,
    whole_url,
)
from ringway.app.load import as_environment
from ringway.app.shutdown import Job, Step, run_until_stopped, shut_down, stop_signals, unless_stopped
from ringway.app.state import (
    Running,
    find_running,
    forget_running,
    keep_secret,
    prepare,
    process_started,
    unusable,
    write_running,
)
from ringway.app.supervise import Child, Supervisor
from ringway.app.up_config import UpConfig
from ringway.engine.nats.embedded import EmbeddedNats
from ringway.errors import ConfigError, RingwayError
from ringway.member.feed import Feed
from ringway.net.listening import is_free

FIRST_NODE_PORT = 9101
NODE_PORT = "RINGWAY_NODE_PORT"
LOOK_S = 0.05
NATS_LOOK_S = 0.2
GATEWAY = "gateway-1"

Tell = Callable[[str], None]
Show = Callable[[Running, Cluster], None]


async def run_up(loaded: Loaded, directory: Path, config_file: str | None, *, show: Show, tell: Tell) -> int:
    """Start NATS, a gateway and nodes, `show` them when all are ready, and keep them running until told to stop.

    Returns the exit code. Raise `ConfigError` or `EngineError` where something cannot be started: then all that was
    started has been stopped again.
    """
    config = loaded.config
    _check_settings(loaded)
    prepare(directory)
    _check_alone(directory)
    loaded.check_policy()
    _check_free("gateway", config.gateway.host, config.gateway.port, "--port")
    if config.admin.port:
        _check_free("admin", config.admin.host, config.admin.port, "--admin-port")
    nats = None if config.engine.url else _embedded(config.up, directory)
    supervisor = Supervisor(tell)
    steps = _last_steps(directory, supervisor, nats, config.up.stop_s)
    deadline_s = 4 * config.up.stop_s
    with stop_signals() as stop:
        try:
            begun = await unless_stopped(stop, _begin(loaded, directory, config_file, supervisor, nats))
        except OSError as error:
            await shut_down(steps, deadline_s)
            raise unusable(directory, error) from None
        except BaseException:
            await shut_down(steps, deadline_s)
            raise
        if begun is None:
            await shut_down(steps, deadline_s)
            return 0
        show(*begun)
        jobs = [Job("supervisor", supervisor.run())]
        if nats is not None:
            jobs.append(Job("nats", _keep_running(nats, tell)))
        # The children are no longer looked after once their stop has begun.
        steps = [Step(f"end the task {job.name}", job.stop) for job in jobs] + steps
        return await run_until_stopped(jobs, steps, deadline_s=deadline_s, stop=stop)


async def _begin(
    loaded: Loaded, directory: Path, config_file: str | None, supervisor: Supervisor, nats: EmbeddedNats | None
) -> tuple[Running, Cluster]:
    """Start everything, and return when all of it is ready and can be found."""
    if nats is not None:
        await nats.start()
    engine = _engine(loaded, directory, nats)
    names = _start_children(loaded, supervisor, directory, _environ(loaded, directory, config_file, engine))
    cluster = await _wait_ready(engine, supervisor, names, loaded.config.up.ready_s)
    running = _running(engine, cluster, directory)
    write_running(directory, running)
    return running, cluster


def _last_steps(directory: Path, supervisor: Supervisor, nats: EmbeddedNats | None, stop_s: float) -> list[Step]:
    async def forget() -> None:
        forget_running(directory)

    steps = [
        Step("take up.json away", forget),
        Step("stop the nodes", lambda: supervisor.stop(lambda name: name != GATEWAY, stop_s)),
        Step("stop the gateway", lambda: supervisor.stop(lambda name: name == GATEWAY, stop_s)),
    ]
    return [*steps, Step("stop NATS", nats.stop)] if nats is not None else steps


def _check_settings(loaded: Loaded) -> None:
    """Raise `ConfigError` for what cannot have effect here."""
    config = loaded.config
    if config.static.backends:
        origin = loaded.origin("static.backends")
        raise ConfigError(
            f"static.backends ({origin}) is for gateways without nodes: leave it out, or `ringway gateway`"
        )
    if config.engine.url.startswith("memory:"):
        raise ConfigError("the engine memory:// is for one process, and here several are started; leave --engine out")
    if config.engine.url and (config.up.nats_port or config.up.nats_sync_always):
        name = "up.nats_port" if config.up.nats_port else "up.nats_sync_always"
        raise ConfigError(
            f"{name} ({loaded.origin(name)}) is for the embedded NATS server, which is not started where engine.url "
            f"({loaded.origin('engine.url')}) names an engine; give one of them"
        )


def _check_alone(directory: Path) -> None:
    running = find_running(directory)
    if running is not None:
        raise ConfigError(
            f"a system runs already from {directory} (process {running.pid}, gateway {running.gateway_url}); "
            "stop it, or give this one another directory with --state"
        )


def _check_free(what: str, host: str, port: int, flag: str) -> None:
    if port and not is_free(host, port):
        raise ConfigError(f"the {what} port {host}:{port} is in use; stop who uses it, or give another with {flag}")


def _embedded(config: UpConfig, directory: Path) -> EmbeddedNats:
    return EmbeddedNats(directory / "nats", config.nats_port, sync_always=config.nats_sync_always)


def _engine(loaded: Loaded, directory: Path, nats: EmbeddedNats | None) -> EngineConfig:
    """The engine as all parts use it: the given one, else the embedded; with the given secret, else the kept one."""
    given = loaded.config.engine
    chosen = given.secret or given.secret_file
    secret = read_secret(given).decode() if chosen else keep_secret(directory)
    url = nats.url if nats is not None else whole_url(given)
    return msgspec.structs.replace(settled(given, url), secret=secret, secret_file="")


def _environ(loaded: Loaded, directory: Path, config_file: str | None, engine: EngineConfig) -> dict[str, str]:
    """The environment of the children. Secrets travel in it: other users cannot read it, as they can flags."""
    fields = all_fields()
    flags = {path: given for path, given in loaded.given.items() if given.origin.startswith("--")}
    environ = {**os.environ, **as_environment(flags, fields), STATE_DIR_ENV: str(directory)}
    if config_file:
        environ[CONFIG_FILE_ENV] = str(Path(config_file).absolute())
    own = {f"engine.{name}": "" for name in (*TLS_SETTINGS, *LOGIN_SETTINGS)} | {"engine.tls_first": "false"}
    own |= {"engine.url": engine.url, "engine.secret": engine.secret, "engine.secret_file": ""}
    return environ | {fields[path].env: value for path, value in own.items()}


def _start_children(loaded: Loaded, supervisor: Supervisor, directory: Path, environ: Mapping[str, str]) -> list[str]:
    """Start the gateway and the nodes; return the names of all."""
    config = loaded.config
    logs = directory / "logs"
    logs.mkdir(mode=0o700, exist_ok=True)
    names = [GATEWAY, *(f"node-{number}" for number in range(1, config.up.nodes + 1))]
    ports = NodePorts(config.node.host, config.node.port or FIRST_NODE_PORT)
    for name in names:
        log = logs / f"{name}.log"
        if log.exists():
            log.replace(log.with_suffix(".log.1"))
        own = {**environ, "RINGWAY_MEMBER_NAME": name}
        if name == GATEWAY:
            supervisor.start(Child(name, ["gateway"], own, log))
            continue
        own |= {NODE_PORT: str(ports.take()), "RINGWAY_ADMIN_PORT": "0"}
        supervisor.start(Child(name, ["node"], own, log, partial(ports.make_way, own)))
    return names


class NodePorts:
    """Ports of the nodes, one after the other from `first` on, as far as they are free."""

    def __init__(self, host: str, first: int) -> None:
        self._host = host
        self._next = first

    def take(self) -> int:
        """Return the next free port; 0, which lets the node take any, where none is near."""
        near = range(self._next, min(self._next + 200, 65536))
        port = next((candidate for candidate in near if is_free(self._host, candidate)), 0)
        self._next = port + 1 if port else self._next
        return port

    def make_way(self, environ: dict[str, str]) -> bool:
        """Give the node with `environ` another port where somebody else has taken its own; whether that was so.

        A port is looked for before the node listens there, and another process can be quicker.
        """
        port = int(environ[NODE_PORT])
        if not port or is_free(self._host, port):
            return False
        environ[NODE_PORT] = str(self.take())
        return True


async def _wait_ready(engine: EngineConfig, supervisor: Supervisor, names: list[str], ready_s: float) -> Cluster:
    """Return the members when all of `names` have reported."""
    async with open_engine(engine, "up") as connection:
        members = Feed()
        await connection.registry.watch(members.on_report)
        deadline = asyncio.get_running_loop().time() + ready_s
        while missing := [name for name in names if name not in members.live]:
            supervisor.check_started()
            if asyncio.get_running_loop().time() > deadline:
                raise RingwayError(
                    f"{', '.join(missing)} did not get ready within {ready_s:g} s; look into the logs, or raise "
                    "RINGWAY_UP_READY_S on a slow machine"
                )
            await asyncio.sleep(LOOK_S)
        return describe(members.live.values())


def _running(engine: EngineConfig, cluster: Cluster, directory: Path) -> Running:
    gateway = next(gateway for gateway in cluster.gateways if gateway.name == GATEWAY)
    return Running(
        pid=os.getpid(),
        started=process_started(os.getpid()) or "",
        engine_url=engine.url,
        cluster=engine.cluster,
        secret=engine.secret,
        gateway_url=gateway.url,
        admin_url=gateway.admin_url,
        logs=str(directory / "logs"),
    )


async def _keep_running(nats: EmbeddedNats, tell: Tell) -> None:
    """Start the NATS server again where it dies; members keep their clients meanwhile, and find it at its old port."""
    while True:
        if not nats.running:
            tell(f"NATS ended; starting it again. Its log: {nats.log_path}")
            try:
                await nats.start()
            except RingwayError as error:
                tell(f"NATS does not start: {error}")
        await asyncio.sleep(NATS_LOOK_S)
