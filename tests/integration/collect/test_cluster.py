"""Nodes with an engine: a value of a JSON endpoint excludes one of them from newcomers, and `explain` says so."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from integration.collect.test_gateway import read
from support.system import running_system, wait_for


class Queues(BaseHTTPRequestHandler):
    """Answers `/<node>` with how much waits there."""

    waiting: dict[str, int]

    def do_GET(self) -> None:  # the name is http.server's
        body = json.dumps({"jobs": [{"waiting": self.waiting.get(self.path.strip("/"), 0)}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def queues() -> Iterator[ThreadingHTTPServer]:
    Queues.waiting = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), Queues)
    thread = threading.Thread(target=server.serve_forever, args=(0.1,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_node_is_gated_by_what_is_measured_of_it(queues):
    spec = (
        f"jobs=http://127.0.0.1:{queues.server_address[1]}/{{name}},path=jobs.0.waiting,"
        "threshold=100,low=20,period=1,timeout=0.49,expire=60,tau=0"
    )
    with running_system(nodes=2, environ={"RINGWAY_LOAD_COLLECT": spec}) as system:
        busy, idle = sorted(system.nodes())

        def shows(line: str) -> bool:
            return f"\n{line}\n" in read(f"{system.admin_url}/metrics")

        wait_for(lambda: shows(f'ringway_collect_value{{metric="jobs",node="{idle}"}} 0.0'), "the first value")
        Queues.waiting[busy] = 150
        wait_for(lambda: shows(f'ringway_collect_gated{{node="{busy}"}} 1.0'), "the gate to close")
        found = [json.loads(read(f"{system.gateway_url}/gateway")) for _ in range(20)]
        assert Counter(answer["node"] for answer in found) == {idle: 20}
        said = system.ringway("explain", "--json")
        assert "jobs is 150, above 100" in said
        Queues.waiting[busy] = 10
        wait_for(lambda: shows(f'ringway_collect_gated{{node="{busy}"}} 0.0'), "the gate to open")
        found = [json.loads(read(f"{system.gateway_url}/gateway")) for _ in range(20)]
        assert busy in {answer["node"] for answer in found}
