"""The admin port of a process: its address, its service, and the health that it reports."""

from ringway.admin.api import Admin, Health, build_api
from ringway.admin.config import AdminConfig
from ringway.admin.server import AdminServer
from ringway.app.shutdown import Job, Step
from ringway.errors import ConfigError
from ringway.logger import get_logger
from ringway.ports import Engine
from ringway.protocol.host import read_hosts
from ringway.types import Role
from ringway.version import VERSION

_log = get_logger()


def open_admin(config: AdminConfig, beside: int | None = None) -> AdminServer | None:
    """Bind the admin port: the configured port; else the port after `beside` if it is free; else any free port."""
    if not config.enabled:
        return None
    if config.port is not None:
        return AdminServer(config.host, config.port, config)
    if beside is not None and beside < 65535:
        try:
            return AdminServer(config.host, beside + 1, config)
        except ConfigError:
            pass
    return AdminServer(config.host, 0, config)


def serve_admin(server: AdminServer, admin: Admin, config: AdminConfig) -> Job:
    """Return the job that answers operators; warn if other machines can reach the port, and it has no tokens."""
    tokens = server.tokens
    if tokens is not None and not tokens.are_there:
        _log.warning(
            "other machines can reach the admin port, and it has no tokens: it answers /healthz and /readyz only",
            url=server.url,
            remedy="give admin.read_tokens_file and admin.operate_tokens_file, or leave --admin-host out",
        )
    hosts = read_hosts(config.allowed_hosts) if server.on_loopback else None
    app = build_api(admin, VERSION, hosts, tokens, open_metrics=config.open_metrics)
    return Job("admin port", server.run(app))


def close_admin(server: AdminServer | None) -> list[Step]:
    """Return the last step of a process with an admin port."""
    return [Step("close the admin port", server.close)] if server else []


def health_of(
    name: str, role: Role, engine: Engine | None, problem: str, warning: str = "", failing: str = "", *warnings: str
) -> Health:
    """Return the health of the process: `problem` is the reason why it is not ready, `warning` and `warnings` name
    other faults, and `failing` parts that do not work: with them it is degraded.

    A process without its engine stays ready: otherwise all processes would leave at once.
    """
    wrong = _wrong(engine)
    return Health(
        name=name,
        role=role,
        version=VERSION,
        engine="none" if engine is None else "up" if engine.up else "away",
        ready=not problem,
        degraded=bool(wrong or failing),
        problems=tuple(filter(None, (problem, wrong, failing, warning, *warnings))),
    )


def _wrong(engine: Engine | None) -> str:
    """Return what is wrong with the engine; empty if nothing is, or if there is no engine."""
    if engine is None or (engine.up and not engine.problem):
        return ""
    return engine.problem if engine.up else f"the engine is away: {engine.problem or 'it is being connected to'}"
