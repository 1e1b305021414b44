"""A real Kubernetes API server on a real etcd, without any other part of Kubernetes, and what tests say to it."""

import asyncio
import json
import re
import shutil
import signal
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from support.server_process import ServerProcess

START_S = 120
REQUEST_S = 10
ADMIN = "token-of-the-admin"

_KINDS = {
    "ServiceAccount": "/api/v1/namespaces/default/serviceaccounts",
    "Service": "/api/v1/namespaces/default/services",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings",
    "Deployment": "/apis/apps/v1/namespaces/default/deployments",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/default/poddisruptionbudgets",
}
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"


class KubernetesServer:
    """An API server at `url`; its certificate is in `ca_file`."""

    def __init__(self, apiserver: str, etcd: str, folder: Path, ports: tuple[int, int, int]) -> None:
        self._folder = folder
        self._etcd_command = [
            etcd, "--data-dir", str(folder / "etcd"), "--listen-client-urls", f"http://127.0.0.1:{ports[0]}",
            "--advertise-client-urls", f"http://127.0.0.1:{ports[0]}", "--listen-peer-urls", f"http://127.0.0.1:{ports[1]}",
            "--initial-advertise-peer-urls", f"http://127.0.0.1:{ports[1]}",
            "--initial-cluster", f"default=http://127.0.0.1:{ports[1]}", "--unsafe-no-fsync",
        ]  # fmt: skip
        key = folder / "accounts.key"
        (folder / "tokens.csv").write_text(f"{ADMIN},admin,admin,system:masters\n")
        subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
        self._api_command = [
            apiserver, f"--etcd-servers=http://127.0.0.1:{ports[0]}", "--bind-address=127.0.0.1",
            f"--secure-port={ports[2]}", f"--cert-dir={folder / 'certificates'}",
            f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}",
            "--service-account-issuer=https://kubernetes.default.svc", "--authorization-mode=RBAC",
            f"--token-auth-file={folder / 'tokens.csv'}", "--service-cluster-ip-range=10.96.0.0/24",
            "--disable-admission-plugins=ServiceAccount",
        ]  # fmt: skip
        self.url = f"https://127.0.0.1:{ports[2]}"
        self.ca_file = folder / "certificates" / "apiserver.crt"
        self._etcd = ServerProcess(folder / "etcd.log")
        self._api = ServerProcess(folder / "apiserver.log")

    async def start_api(self) -> None:
        """Start the API server, and wait until it is ready."""
        self._api.launch(self._api_command)
        deadline = time.monotonic() + START_S
        while not await asyncio.to_thread(self._ready):
            assert self._api.running, self._api.last_words()
            assert time.monotonic() < deadline, self._api.last_words()
            await asyncio.sleep(0.2)

    def kill_api(self) -> None:
        """End the API server, and leave etcd as it is."""
        self._api.end(signal.SIGKILL)

    async def start(self) -> None:
        """Start etcd and the API server."""
        self._etcd.launch(self._etcd_command)
        await self.start_api()

    def stop(self) -> None:
        """End both."""
        self._api.end(signal.SIGKILL)
        self._etcd.end(signal.SIGKILL)

    async def call(self, method: str, path: str, body: bytes | dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the answer to a request of the admin; a body in bytes is YAML."""
        return await asyncio.to_thread(self._call, method, path, body)

    async def apply(self, manifest: str, *kinds: str, dry: bool = False) -> None:
        """Create the objects of `kinds` in a manifest of several documents; every field must be known."""
        query = "?fieldValidation=Strict" + ("&dryRun=All" if dry else "")
        for document in manifest.split("\n---\n"):
            kind = re.search(r"^kind: (\w+)$", document, re.MULTILINE)
            assert kind, document
            if kind[1] in kinds:
                await self.call("POST", _KINDS[kind[1]] + query, document.encode())

    async def token_of(self, account: str) -> str:
        """Return a token of a service account, as the kubelet puts it into pods."""
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
        answer = await self.call("POST", f"/api/v1/namespaces/default/serviceaccounts/{account}/token", body)
        return str(answer["status"]["token"])

    def _call(self, method: str, path: str, body: bytes | dict[str, Any] | None = None) -> dict[str, Any]:
        form = "application/yaml" if isinstance(body, bytes) else "application/json"
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        headers = {"Content-Type": form, "Accept": "application/json", "Authorization": f"Bearer {ADMIN}"}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        tls = ssl.create_default_context(cafile=str(self.ca_file))
        try:
            with urllib.request.urlopen(request, timeout=REQUEST_S, context=tls) as answer:
                found: dict[str, Any] = json.loads(answer.read() or b"{}")
                return found
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}") from None

    def _ready(self) -> bool:
        try:
            self._call("GET", "/apis/discovery.k8s.io/v1")
            self._call("GET", "/api/v1/namespaces/default")
        except (OSError, AssertionError):
            return False
        return True


@asynccontextmanager
async def serve_kubernetes(
    apiserver: str, folder: Path, ports: tuple[int, int, int]
) -> AsyncIterator[KubernetesServer]:
    """Run etcd and an API server until the block ends; `ports` are three free ones."""
    etcd = shutil.which("etcd")
    assert etcd, "etcd is not installed (Debian: etcd-server)"
    server = KubernetesServer(apiserver, etcd, folder, ports)
    try:
        await server.start()
        yield server
    finally:
        server.stop()
