"""Backends from a real Kubernetes API server, which `scripts/test-kubernetes` builds; skipped without it.

There is no controller beside it, so the tests write the EndpointSlices; everything else is real: the API, its watch
cache, etcd, tokens of service accounts, RBAC, and the manifest of docs/howto/kubernetes-backends.md.
"""

import asyncio
import os
import random
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ringway.sources.kubernetes.config import KubernetesConfig
from ringway.sources.kubernetes.source import KubernetesSource
from ringway.tasks import Tasks
from support.kubernetes_server import SLICES, KubernetesServer, serve_kubernetes
from support.kubernetes_traffic import endpoint, part, stopping
from support.recording_sink import RecordingSink

APISERVER = os.environ.get("RINGWAY_KUBE_APISERVER", "")
HOWTO = Path(__file__).parents[3] / "docs" / "howto" / "kubernetes-backends.md"
PATIENCE_S = 60.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.skipif(not APISERVER, reason="no API server of Kubernetes; scripts/test-kubernetes builds one"),
]


async def eventually(condition: Callable[[], object], show: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, show()
        await asyncio.sleep(0.02)


def three_ports() -> tuple[int, int, int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    first, second, third = (int(each.getsockname()[1]) for each in sockets)
    for each in sockets:
        each.close()
    return first, second, third


class Writing:
    """The part of the EndpointSlice controller: it writes slices of the Service chat."""

    def __init__(self, server: KubernetesServer) -> None:
        self._server = server

    @staticmethod
    def _slice(name: str, *endpoints: dict[str, Any]) -> dict[str, Any]:
        raw = part(name, 0, *endpoints)
        metadata = {"name": name, "namespace": "default", "labels": raw["metadata"]["labels"]}
        return {**raw, "metadata": metadata, "endpoints": list(endpoints)}

    async def create(self, name: str, *endpoints: dict[str, Any]) -> None:
        await self._server.call("POST", SLICES, self._slice(name, *endpoints))

    async def replace(self, name: str, *endpoints: dict[str, Any]) -> None:
        await self._server.call("PUT", f"{SLICES}/{name}", self._slice(name, *endpoints))

    async def delete(self, name: str) -> None:
        await self._server.call("DELETE", f"{SLICES}/{name}")


async def test_a_service_is_followed_by_the_role_of_the_manual_through_changes_and_a_restart(tmp_path: Path) -> None:
    found = re.search(r"```yaml\n(.*?)```", HOWTO.read_text(), re.DOTALL)
    assert found
    manifest = found[1].rstrip() + "\n"
    async with serve_kubernetes(APISERVER, tmp_path, three_ports()) as server:
        await server.apply(manifest, "Deployment", "Service", "PodDisruptionBudget", dry=True)
        await server.apply(manifest, "ServiceAccount")
        token = tmp_path / "token"
        token.write_text(await server.token_of("ringway-gateway"))
        config = KubernetesConfig(
            api_url=server.url, token_file=str(token), ca_file=str(server.ca_file), watch_s=1, settle_s=0.05
        )
        sink = RecordingSink()
        source = KubernetesSource("kubernetes+ws://chat.default:ws", config, sink, random.Random(1), {})
        write = Writing(server)

        async def becomes(**states: str) -> None:
            await eventually(lambda: sink.states == states, lambda: (sink.states, sink.problems))

        async def tells(words: str) -> None:
            await eventually(lambda: words in sink.problems.get(source.name, ""), lambda: sink.problems)

        tasks = Tasks()
        tasks.spawn(source.run(), name=source.name)
        try:
            await tells('resources ["endpointslices"], verbs ["list", "watch"]')
            await server.apply(manifest, "Role", "RoleBinding")
            await tells("the Service chat in namespace default has no EndpointSlices")
            await write.create("chat-1", endpoint("a", "10.1.0.4"))
            await becomes(a="up")
            await eventually(lambda: not sink.problems[source.name], lambda: sink.problems)
            await write.create("chat-2", endpoint("b", "10.1.0.5"))
            await becomes(a="up", b="up")
            await write.replace("chat-1", stopping("a", "10.1.0.4"))
            await becomes(a="draining", b="up")
            await write.replace("chat-1")
            await becomes(b="up")
            assert sink.lost == ["a"]

            await write.replace("chat-1", endpoint("c", "10.1.0.6"))
            await becomes(b="up", c="up")

            server.kill_api()
            await tells("the Kubernetes API cannot be reached")
            await becomes(b="up", c="up")
            await server.start_api()
            await write.replace("chat-1", endpoint("c", "10.1.0.6"), endpoint("d", "10.1.0.7"))
            await becomes(b="up", c="up", d="up")
            await write.delete("chat-2")
            await becomes(c="up", d="up")
            assert sink.lost == ["a"]
        finally:
            await tasks.aclose()
