"""The front of the suites leads calls of the API to the first port that accepts, and all else to Ringway."""

import http.server
import threading
import urllib.request
from collections.abc import Iterator

import pytest

from sdk_suites.front import front
from support.system import free_port


class _Named(http.server.BaseHTTPRequestHandler):
    """Answers with the name of its server, and what the request says of the connection."""

    def do_GET(self) -> None:
        body = f"{self.server.name} {self.path} {self.headers['connection']}".encode()  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def ports() -> Iterator[dict[str, int]]:
    """The ports of a server for clients and one for the API, by their names."""
    servers = [http.server.ThreadingHTTPServer(("127.0.0.1", free_port()), _Named) for _ in range(2)]
    for server, name in zip(servers, ("clients", "api"), strict=True):
        server.name = name  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield {"clients": servers[0].server_port, "api": servers[1].server_port}
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("path", "answered"), [("/connection/websocket", "clients"), ("/api/publish", "api"), ("/apis", "clients")]
)
def test_the_path_decides_where_a_request_goes(ports: dict[str, int], path: str, answered: str) -> None:
    port = free_port()
    with (
        front(port, ports["clients"], (free_port(), ports["api"])),
        urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer,
    ):
        assert answer.read().decode() == f"{answered} {path} close"
