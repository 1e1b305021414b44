"""A whole system that speaks TLS, as docs/howto/tls.md starts it: clients of all ways, moves, and renewal."""

import asyncio
import json
import re
import shutil
import signal
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from ringway.client import Client, ClientConfig
from support.authority import Authority
from support.system import System, running_system, wait_for

ROOT = Path(__file__).parents[3]
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def blocks() -> list[str]:
    """The commands of the page."""
    page = (ROOT / "docs/howto/tls.md").read_text()
    return re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def files(tmp_path_factory, blocks) -> Path:
    """A directory in which the first commands of the page have made an authority and a certificate."""
    directory = tmp_path_factory.mktemp("certificates")
    subprocess.run(["bash", "-ec", blocks[0]], cwd=directory, check=True, capture_output=True)
    return directory


@pytest.fixture(scope="module")
def system(files, blocks) -> Iterator[System]:
    assert blocks[1].strip() == "ringway up --tls-cert server.pem --tls-key server.key"
    flags = ("--tls-cert", str(files / "server.pem"), "--tls-key", str(files / "server.key"))
    with running_system(*flags, trusted=files / "ca.pem") as running:
        yield running


def trusting(files: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(files / "ca.pem"))


def test_the_commands_of_the_page_find_the_system(system, files, blocks):
    commands = blocks[2].replace("https://127.0.0.1:8000", system.gateway_url)
    path = f"{Path(sys.executable).parent}:{system.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-ec", commands], cwd=files, env={**system.environ, "PATH": path}, capture_output=True, text=True,
        timeout=90, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.JSONDecoder().raw_decode(done.stdout)[0]["url"].startswith("wss://127.0.0.1:")


@pytest.mark.parametrize("scheme", ["https", "wss"], ids=["to a node", "through the gateway"])
async def test_clients_are_moved_from_node_to_node_over_tls(system, files, scheme):
    url = system.gateway_url.replace("https", scheme)
    heard: list[object] = []
    async with Client(url, ssl=trusting(files)) as speaker, Client(url, ssl=trusting(files)) as listener:
        channel = f"moves-{scheme}"
        subscription = listener.subscribe(channel, on_publication=lambda publication: heard.append(publication.data))
        await subscription.wait_confirmed()
        left = str(listener.node)
        for number in range(30):  # the drain waits until the node is empty
            await speaker.publish(channel, number)
            if number == 10:
                await asyncio.to_thread(system.ringway, "drain", left, "--within", "5s")
        async with asyncio.timeout(PATIENCE_S):
            while len(heard) < 30:
                await asyncio.sleep(0.05)
        await asyncio.to_thread(system.ringway, "undrain", left)
    assert heard == list(range(30))


async def test_a_client_that_does_not_trust_the_authority_connects_to_nothing(system):
    with pytest.raises(OSError, match="certificate"):
        async with Client(system.gateway_url, config=ClientConfig(open_timeout_s=5)):
            pass


def test_a_renewed_certificate_is_used_after_sighup_and_a_bad_one_is_a_problem(system, files, tmp_path):
    cert, key = files / "server.pem", files / "server.key"
    kept = cert.read_bytes(), key.read_bytes()
    shutil.copy(files / "ca.pem", tmp_path / "both.pem")
    authority = Authority(tmp_path)
    port = int(system.gateway_url.rpartition(":")[2])
    try:
        new = authority.sign("renewed", "localhost", "127.0.0.1")
        cert.write_bytes(new[0].read_bytes())
        key.write_bytes(new[1].read_bytes())
        system.kill("gateway-1", signal.SIGHUP)
        wait_for(lambda: ssl.get_server_certificate(("127.0.0.1", port)) == new[0].read_text(), "the new certificate")
        key.write_bytes(kept[1])
        system.kill("gateway-1", signal.SIGHUP)
        wait_for(lambda: "does not fit" in _health(system), "the problem in /healthz")
        assert ssl.get_server_certificate(("127.0.0.1", port)) == new[0].read_text()
    finally:
        cert.write_bytes(kept[0])
        key.write_bytes(kept[1])
        system.kill("gateway-1", signal.SIGHUP)
    wait_for(lambda: "certificates" not in _health(system), "the end of the problem")


def _health(system: System) -> str:
    with urllib.request.urlopen(f"{system.admin_url}/healthz", timeout=10) as answer:
        return answer.read().decode()
