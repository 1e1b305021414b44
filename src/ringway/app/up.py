"""A whole system on one machine, with a separate process for each part: the work of `ringway up`."""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
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
    read_hash_secret,
    read_keyring,
    read_secrets,
    settled,
    whole_url,
)
from ringway.app.load import as_environment
from ringway.app.member import make_feed
from ringway.app.near_ports import NearPorts
from ringway.app.shutdown import Job, Step, run_until_stopped, shut_down, stop_signals, unless_stopped
from ringway.app.state import (
    JOINING,
    Running,
    find_running,
    forget_running,
    keep_empty,
    keep_secret,
    prepare,
    process_started,
    unusable,
    write_running,
)
from ringway.app.supervise import Child, Supervisor
from ringway.app.up_config import UpConfig
from ringway.app.up_registration import RegistrationPort, registration_url
from ringway.app.up_rights import INSECURE, is_open
from ringway.app.up_tls import tls_settings
from ringway.engine.nats.embedded import EmbeddedNats
from ringway.errors import ConfigError, RingwayError
from ringway.net.listening import is_free
from ringway.sources.registration.config import RegistrationConfig

FIRST_NODE_PORT = 9101
NODE_PORT = "RINGWAY_NODE_PORT"
API_PORT = "RINGWAY_HTTP_API_PORT"
LOOK_S = 0.05
NATS_LOOK_S = 0.2
GATEWAY = "gateway-1"
PREVIOUS = "previous-secret"
SECRET_FILES = ("secret_file", "previous_secret_file")

Tell = Callable[[str], None]
Show = Callable[[Running, Cluster], None]


async def run_up(loaded: Loaded, directory: Path, config_file: str | None, *, show: Show, tell: Tell) -> int:
    """Start NATS, a gateway and nodes, `show` them when all are ready, and keep them running until stopped.

    Return the exit code. Raise `ConfigError` or `EngineError` if a part cannot be started, after stopping all started
    parts.
    """
    config = loaded.config
    _check_settings(loaded)
    prepare(directory)
    _check_alone(directory)
    _check_free("gateway", config.gateway.host, config.gateway.port, "--port")
    if config.admin.port:
        _check_free("admin", config.admin.host, config.admin.port, "--admin-port")
    if config.registration.port:
        _check_free("registration", config.registration.host, config.registration.port, "--registration-port")
    if config.http_api.port:
        _check_free("server API's", config.http_api.host, config.http_api.port, "--http-api-port")
    nats = None if config.engine.url else _embedded(config.up, directory)
    supervisor = Supervisor(tell)
    steps = _last_steps(directory, supervisor, nats, config.up.stop_s)
    deadline_s = 4 * config.up.stop_s
    with stop_signals(supervisor.hang_up) as stop:
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
        # The children are not restarted any more once their stop has begun.
        steps = [Step(f"end the task {job.name}", job.stop) for job in jobs] + steps
        return await run_until_stopped(jobs, steps, deadline_s=deadline_s, stop=stop)


async def _begin(
    loaded: Loaded, directory: Path, config_file: str | None, supervisor: Supervisor, nats: EmbeddedNats | None
) -> tuple[Running, Cluster]:
    """Start all parts; return when all are ready and commands can find the system."""
    if nats is not None:
        await nats.start()
    engine = _engine(loaded, directory, nats)
    asked = loaded.config.registration
    registration = None
    if asked.port or not _count_nodes(loaded):  # beside channel nodes only if it is asked for
        registration = RegistrationPort(asked, directory)
    environ = _environ(loaded, directory, config_file, engine, registration.config if registration else asked)
    names = _start_children(loaded, supervisor, directory, environ, registration)
    cluster = await _wait_ready(engine, supervisor, names, loaded.config.up.ready_s)
    running = _running(loaded, engine, cluster, directory, registration.config if registration else asked)
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
    """Raise `ConfigError` for settings that have no effect here."""
    config = loaded.config
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
        raise ConfigError(
            f"the {what} port {host}:{port} is in use; stop the process that uses it, or give another port with {flag}"
        )


def _embedded(config: UpConfig, directory: Path) -> EmbeddedNats:
    return EmbeddedNats(directory / "nats", config.nats_port, sync_always=config.nats_sync_always)


def _engine(loaded: Loaded, directory: Path, nats: EmbeddedNats | None) -> EngineConfig:
    """Return the engine of all parts: the given or embedded engine, with the given or stored secrets.

    Secrets in files stay there, because all parts read them again when they change. The hash secret must not change.
    """
    given = loaded.config.engine
    own = settled(given, nats.url if nats is not None else whole_url(given))
    if not (given.secret or given.secret_file):
        own = _stored_secrets(own, directory)
    files = {name: str(Path(getattr(own, name)).absolute()) for name in SECRET_FILES if getattr(own, name)}
    own = msgspec.structs.replace(own, **files)
    read_secrets(own)
    return msgspec.structs.replace(own, hash_secret=read_hash_secret(own).decode(), hash_secret_file="")


def _stored_secrets(engine: EngineConfig, directory: Path) -> EngineConfig:
    """Return `engine` with the secrets of `directory`, which are made at the first start."""
    first = keep_secret(directory)
    changes = {"secret_file": str(directory / "secret")}
    if not (engine.previous_secret or engine.previous_secret_file):
        keep_empty(directory, PREVIOUS)
        changes["previous_secret_file"] = str(directory / PREVIOUS)
    if not (engine.hash_secret or engine.hash_secret_file):
        changes["hash_secret"] = keep_secret(directory, "hash-secret", first)
    return msgspec.structs.replace(engine, **changes)


def _environ(
    loaded: Loaded, directory: Path, config_file: str | None, engine: EngineConfig, registration: RegistrationConfig
) -> dict[str, str]:
    """Return the environment of the children. It carries secrets, because other users can read flags, but not this."""
    fields, tls = all_fields(), tls_settings(loaded)
    flags = {path: given for path, given in loaded.given.items() if given.origin.startswith("--")}
    environ = {**os.environ, **as_environment(flags, fields), STATE_DIR_ENV: str(directory)}
    if config_file:
        environ[CONFIG_FILE_ENV] = str(Path(config_file).absolute())
    own = {f"engine.{name}": "" for name in (*TLS_SETTINGS, *LOGIN_SETTINGS)} | {"engine.tls_first": "false"}
    own |= {f"engine.{name}": getattr(engine, name) for name in ("url", *JOINING)} | {"engine.hash_secret_file": ""}
    own |= {
        "registration.port": str(registration.port or ""),
        "registration.tokens_file": registration.tokens_file,
        INSECURE: str(is_open(loaded)).lower(),
    }
    files = {path: value if isinstance(value, str) else fields[path].join(value) for path, value in tls.items()}
    return environ | {fields[path].env: value for path, value in (own | files).items()}


def _count_nodes(loaded: Loaded) -> int:
    """Return how many channel nodes are to be started: beside backends only if their number is given."""
    config = loaded.config
    return 0 if config.static.has_backends and "up.nodes" not in loaded.given else config.up.nodes


def _start_children(
    loaded: Loaded,
    supervisor: Supervisor,
    directory: Path,
    environ: Mapping[str, str],
    registration: RegistrationPort | None,
) -> list[str]:
    """Start the gateway and the nodes; return their names."""
    config = loaded.config
    logs = directory / "logs"
    logs.mkdir(mode=0o700, exist_ok=True)
    names = [GATEWAY, *(f"node-{number}" for number in range(1, _count_nodes(loaded) + 1))]
    ports = NearPorts(config.node.host, config.node.port or FIRST_NODE_PORT, NODE_PORT)
    api_ports = NearPorts(config.http_api.host, config.http_api.port or 0, API_PORT)
    for name in names:
        log = logs / f"{name}.log"
        if log.exists():
            log.replace(log.with_suffix(".log.1"))
        own = {**environ, "RINGWAY_MEMBER_NAME": name}
        if name == GATEWAY:
            make_way = partial(registration.make_way, own) if registration else lambda: False
            supervisor.start(Child(name, ["gateway"], own, log, make_way))
            continue
        own |= {NODE_PORT: str(ports.take()), "RINGWAY_ADMIN_PORT": "0"}
        own |= {API_PORT: str(api_ports.take())} if config.http_api.port else {}
        supervisor.start(Child(name, ["node"], own, log, partial(_make_way, own, (ports, api_ports))))
    return names


def _make_way(environ: dict[str, str], ports: Sequence[NearPorts]) -> bool:
    """Give the node with `environ` new ports for those that are taken; return true if one was."""
    made = [each.make_way(environ) for each in ports]
    return any(made)


async def _wait_ready(engine: EngineConfig, supervisor: Supervisor, names: list[str], ready_s: float) -> Cluster:
    """Return the members when all of `names` have reported."""
    async with open_engine(engine, "up") as connection:
        members = make_feed(read_keyring(engine))
        await members.follow(connection.registry)
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


def _running(
    loaded: Loaded, engine: EngineConfig, cluster: Cluster, directory: Path, registration: RegistrationConfig
) -> Running:
    gateway = next(gateway for gateway in cluster.gateways if gateway.name == GATEWAY)
    return Running(
        pid=os.getpid(),
        started=process_started(os.getpid()) or "",
        engine_url=engine.url,
        **{name: getattr(engine, name) for name in JOINING},
        gateway_url=gateway.url,
        admin_url=gateway.admin_url,
        logs=str(directory / "logs"),
        registration_url=registration_url(registration),
        registration_tokens_file=registration.tokens_file,
        insecure=is_open(loaded),
    )


async def _keep_running(nats: EmbeddedNats, tell: Tell) -> None:
    """Restart the NATS server when it dies. Members keep their clients meanwhile, and find it at its old port."""
    while True:
        if not nats.running:
            tell(f"NATS ended; starting it again. Its log: {nats.log_path}")
            try:
                await nats.start()
            except RingwayError as error:
                tell(f"NATS does not start: {error}")
        await asyncio.sleep(NATS_LOOK_S)
