"""The port of the server API of a node: its address, and its service."""

from ringway.app.shutdown import Job, Step
from ringway.logger import get_logger
from ringway.node.config.http_api import HttpApiConfig
from ringway.node.server import ChannelNode
from ringway.node.server_api.server import HttpApiServer
from ringway.version import VERSION

_log = get_logger()


def open_http_api(config: HttpApiConfig) -> HttpApiServer | None:
    """Bind the port of the server API; None if there is none. Raise `ConfigError`."""
    return HttpApiServer(config) if config.port is not None else None


def serve_http_api(server: HttpApiServer | None, node: ChannelNode, config: HttpApiConfig) -> list[Job]:
    """Return the job that answers backends, if there is a port."""
    if server is None:
        return []
    if config.insecure:
        _log.warning(
            "the server API needs no key: every process of this machine can call it", url=server.url,
            remedy="give http_api.key_file in place of http_api.insecure",
        )  # fmt: skip
    _log.info("the server API answers", url=server.url)
    return [Job("server API", server.serve(node.api_methods(config), VERSION))]


def close_http_api(server: HttpApiServer | None) -> list[Step]:
    """Return the first step of the shutdown of a node with a server API: calls under way are answered."""
    return [Step("close the port of the server API", server.close)] if server else []
