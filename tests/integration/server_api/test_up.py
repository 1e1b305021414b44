"""The server API of `ringway up`: each node has a port, and a call to any of them reaches the clients of all."""

import subprocess
from pathlib import Path

import cent
import pytest

from ringway.client import Client
from support.system import NODE_PORTS, RINGWAY, free_port, running_system, wait_for


@pytest.mark.slow
async def test_each_node_answers_for_all(tmp_path: Path) -> None:
    keys, key, port = tmp_path / "keys", "k" * 32, free_port(NODE_PORTS)
    keys.write_text(key)
    flags = ("--http-api-port", str(port), "--http-api-key-file", str(keys))
    with running_system(*flags) as system:
        first, second = (cent.Client(f"http://127.0.0.1:{port + number}/api", key) for number in range(2))
        async with Client(system.gateway_url) as client, client.subscribe("news") as news:
            for number, api in enumerate((first, second)):
                assert api.publish(cent.PublishRequest(channel="news", data=number)).offset
                assert (await news.receive()).data == number
                assert api.presence_stats(cent.PresenceStatsRequest(channel="news")).num_clients == 1
            wait_for(lambda: names_of(first) == ["node-1", "node-2"], "both nodes in the gateway's report")
        with pytest.raises(cent.CentUnauthorizedError):
            cent.Client(f"http://127.0.0.1:{port}/api", "another").info(cent.InfoRequest())


def names_of(api: cent.Client) -> list[str]:
    return [node.name for node in api.info(cent.InfoRequest()).nodes]


def test_without_a_key_nothing_starts(tmp_path: Path) -> None:
    command = [*RINGWAY, "up", "--state", str(tmp_path), "--http-api-port", str(free_port())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "http_api.key_file" in done.stderr
