"""A gateway dies: clients and commands with a second gateway use that. A slow reader affects only itself."""

import asyncio
import json
import signal
import socket
import subprocess
import threading
import urllib.request
from typing import IO

from integration.cli.kit import run, start
from integration.system.witness import CHANNEL, reaches_all, until
from support.system import free_port


async def second_gateway(system) -> "tuple[subprocess.Popen[bytes], str]":
    """Start another gateway, and return when it places clients."""
    port, admin_port = free_port(), free_port()
    process = system.start("gateway", "--port", str(port), "--admin-port", str(admin_port))

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    await until(listens, "the second gateway")
    done = await asyncio.to_thread(run, system.state, "pub", "room", "1", RINGWAY_URL=f"http://127.0.0.1:{port}")
    assert done.returncode == 0, done.stderr
    return process, f"http://127.0.0.1:{port}"


async def test_who_was_carried_by_a_killed_gateway_comes_back_through_another(system, witnesses):
    process, second = await second_gateway(system)
    carried = await witnesses(4, url=second.replace("http", "ws"))
    assert carried, "they go through the second gateway, and know no other"
    both = await witnesses(6, url=[second.replace("http", "ws"), system.gateway_url.replace("http", "ws")])
    process.kill()
    process.wait()
    hit = [witness for witness in both if witness.ends]
    await until(lambda: all(witness.ends for witness in carried), "the end of the carried ones")
    await until(lambda: all(witness.listening for witness in both), "those who know another to be back")
    await reaches_all(both, "through the other gateway")
    assert not any(witness.listening for witness in carried), "they know no other"
    newcomers = await witnesses(4, url=[second, system.gateway_url])
    await reaches_all([*both, *newcomers], "also by asking")
    assert all(code == 1006 for witness in hit for code, _ in witness.ends[:1])


async def test_commands_go_to_a_gateway_that_can_be_reached(system):
    dead = f"http://127.0.0.1:{free_port()}"
    listener = start(system.state, "sub", "list", "-n", "1", "--json", RINGWAY_URL=f"{dead} {system.gateway_url}")
    assert listener.stderr is not None
    while not (await asyncio.to_thread(listener.stderr.readline)).startswith("subscribed"):
        assert listener.poll() is None
    urls = f"{system.gateway_url},{dead}"
    done = await asyncio.to_thread(run, system.state, "pub", "list", "hello", "--url", urls)
    assert done.returncode == 0, done.stderr
    out, _ = await asyncio.to_thread(listener.communicate, timeout=30)
    assert json.loads(out)["data"] == "hello"
    done = await asyncio.to_thread(run, system.state, "pub", "list", "x", "--url", f"{dead},{dead}")
    assert done.returncode == 2
    assert f"no gateway can be reached at {dead} or {dead}" in done.stderr


def read_on(pipe: IO[str] | None) -> list[str]:
    """Return a list that gets each line of `pipe` as it comes."""
    assert pipe is not None
    lines: list[str] = []
    threading.Thread(target=lambda: lines.extend(pipe), daemon=True).start()
    return lines


def closed_as_slow(system) -> float:
    """How many connections the nodes have closed with 3008."""
    total = 0.0
    for node in system.nodes().values():
        with urllib.request.urlopen(f"{node['admin_url']}/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        total += sum(
            float(line.split()[1]) for line in lines if line.startswith('ringway_node_closed_total{code="3008"}')
        )
    return total


async def test_a_slow_reader_is_cut_alone_and_comes_back(system, witnesses):
    crowd = await witnesses(4)
    slow = start(system.state, "sub", CHANNEL, "--json")
    lines, words = read_on(slow.stdout), read_on(slow.stderr)
    await until(lambda: any(line.startswith("subscribed") for line in words), "the slow reader to begin")
    slow.send_signal(signal.SIGSTOP)
    payload = "x" * 30_000
    sent = 0
    while not await asyncio.to_thread(closed_as_slow, system):
        await asyncio.gather(*(crowd[0].client.publish(CHANNEL, [sent + more, payload]) for more in range(20)))
        sent += 20
        assert sent < 2000, "60 MB wait for it: no bound holds"
    for witness in crowd:
        await until(lambda seen=witness: len(seen.received) == sent, "everybody else to have all of it")
        assert [entry[0] for entry in witness.received] == list(range(sent))
        assert not witness.ends
    slow.send_signal(signal.SIGCONT)
    await until(lambda: any("3008" in line for line in words), "it to be told why")
    probes = 0
    deadline = asyncio.get_running_loop().time() + 30
    while not any(json.loads(line)["data"] == ["back", probe] for probe in range(probes) for line in lines[-5:]):
        assert asyncio.get_running_loop().time() < deadline, "it did not come back"
        await crowd[0].client.publish(CHANNEL, ["back", probes])
        probes += 1
        await asyncio.sleep(0.2)
    slow.send_signal(signal.SIGINT)
    assert await asyncio.to_thread(slow.wait, 30) == 130
    for pipe in (slow.stdout, slow.stderr):
        assert pipe is not None
        pipe.close()
