"""Member that speaks given wire versions, as a process beside a system: today's code, which calls itself so."""

import json
import re
import subprocess
import sys
import urllib.error
import urllib.request

from support import next_version
from support.system import NODE_PORTS, System, free_port

STOP_S = 30.0


class VersionedMember:
    """A gateway or a node (`role`) called `name`, of wire versions `speaks`: "3-3", or "2-3" with today's as well."""

    def __init__(self, system: System, role: str, speaks: str, name: str, *flags: str) -> None:
        self.name = name
        self._admin = free_port()
        port = free_port(NODE_PORTS) if role == "node" else free_port()
        ports = ("--name", name, "--port", str(port), "--admin-port", str(self._admin))
        command = [sys.executable, next_version.__file__, speaks, role, *ports, *flags]
        self._log = system.state / f"{name}.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(command, env=system.environ, stdout=log, stderr=log)

    def readiness(self) -> tuple[int, str]:
        """Return status and body of /readyz; 0 if it does not answer."""
        return self._get("readyz")

    def health(self) -> str:
        """Return the body of /healthz."""
        return self._get("healthz")[1]

    def nodes(self) -> list[str]:
        """Return the nodes that it believes, if it is a gateway."""
        status, body = self._get("v1/nodes")
        return sorted(node["name"] for node in json.loads(body)) if status == 200 else []

    def leads(self) -> bool:
        """Return True if its balancer leads, if it is a gateway."""
        return re.search(r"^ringway_balancer_leading(?:{.*})? 1", self._get("metrics")[1], re.MULTILINE) is not None

    def _get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._admin}/{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()
        except OSError:
            return 0, ""

    def stop(self) -> None:
        """End it, and wait."""
        self.process.terminate()
        self.process.wait(STOP_S)

    def log(self) -> str:
        """Return what it has logged."""
        return self._log.read_text()
