"""The admin port of a process: where it is bound, what it serves, and how the process is."""

from importlib.metadata import version

from ringway.admin.api import Admin, Health, build_api
from ringway.admin.config import AdminConfig
from ringway.admin.server import AdminServer
from ringway.app.shutdown import Job, Step
from ringway.errors import ConfigError
from ringway.logger import get_logger
from ringway.ports import Engine
from ringway.protocol.host import read_hosts
from ringway.types import Role

VERSION = version("ringway")

_log = get_logger()


def open_admin(config: AdminConfig, beside: int | None = None) -> AdminServer | None:
    """Bind the admin port: the given one, the one after `beside` where that is free, or any."""
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
    """Return the job that answers what operators ask; warn where everybody can reach the port."""
    if not server.on_loopback:
        _log.warning(
            "the admin port can be reached from elsewhere, and asks nobody who they are",
            url=server.url,
            remedy="let a firewall keep others away, or leave --admin-host out",
        )
    hosts = read_hosts(config.allowed_hosts) if server.on_loopback else None
    return Job("admin port", server.run(build_api(admin, VERSION, hosts)))


def close_admin(server: AdminServer | None) -> list[Step]:
    """Return the last step of a process with an admin port."""
    return [Step("close the admin port", server.close)] if server else []


def health_of(name: str, role: Role, engine: Engine | None, problem: str) -> Health:
    """How the process is. Without the engine it stays ready for what it can do: else all members would go at once."""
    wrong = _wrong(engine)
    return Health(
        name=name,
        role=role,
        version=VERSION,
        engine="none" if engine is None else "up" if engine.up else "away",
        ready=not problem,
        degraded=bool(wrong),
        problems=tuple(filter(None, (problem, wrong))),
    )


def _wrong(engine: Engine | None) -> str:
    """What is wrong with the engine; nothing where there is none."""
    if engine is None or (engine.up and not engine.problem):
        return ""
    return engine.problem if engine.up else f"the engine is away: {engine.problem or 'it is being connected to'}"
