"""A gateway of two static backends with an SNMP agent each: the busy one gets no newcomers until it has calmed down."""

import asyncio
import json
import os
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.cli.kit import end, start
from integration.collect.kit import AUTH_KEY, COMMUNITY, OWN_OID, PRIV_KEY, USER, Snmpd
from support.system import free_port, wait_for

KEYS = {"AUTH_KEY": AUTH_KEY, "PRIV_KEY": PRIV_KEY, "COMMUNITY": COMMUNITY}

MEANING = "scale=0.01,threshold=0.8,low=0.6,high=0.9,period=1,timeout=0.49,expire=60,tau=0"

FLAG = f"cpu=snmp://{{{{host}}}}:{{port}}/{OWN_OID},community=$COMMUNITY,{MEANING}"

TABLE = f"""\
[[load.collect]]
name = "cpu"
source = "snmp://{{{{host}}}}:{{port}}/{OWN_OID}"
user = "{USER}"
auth_key = "$AUTH_KEY"
priv_key = "{PRIV_KEY}"
scale = 0.01
threshold = 0.8
low = 0.6
high = 0.9
period = 1
timeout = 0.49
expire = 60
tau = 0
"""


@pytest.fixture
def agents(tmp_path: Path) -> Iterator[tuple[Snmpd, Snmpd]]:
    one = Snmpd(tmp_path / "one", host="127.0.0.1")
    two = Snmpd(tmp_path / "two", host="127.0.0.2", port=one.port)
    for agent in (one, two):
        agent.say(50)
        agent.start()
    yield one, two
    for agent in (one, two):
        agent.stop()


def read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


@pytest.mark.parametrize("version", ["v2c by flag", "v3 by table"])
async def test_a_busy_backend_gets_no_newcomers_until_it_has_calmed_down(tmp_path, agents, version):
    one, two = agents
    backend_port, port, admin_port = free_port(), free_port(), free_port()
    arguments = ["gateway", "--port", str(port), "--admin-port", str(admin_port)]
    for name, agent in (("one", one), ("two", two)):
        arguments += ["--backend", f"ws://{agent.host}:{backend_port},name={name}"]
    if version == "v2c by flag":
        arguments += ["--collect", FLAG.format(port=one.port)]
    else:
        file = tmp_path / "ringway.toml"
        file.write_text(TABLE.format(port=one.port))
        arguments += ["--config", str(file)]

    servers = [await asyncio.start_server(_close, agent.host, backend_port) for agent in agents]
    gateway = start(tmp_path, *arguments, PATH=os.environ["PATH"], **KEYS)
    metrics = f"http://127.0.0.1:{admin_port}/metrics"

    def shows(*lines: str) -> bool:
        page = read(metrics)
        return all(f"\n{line}\n" in page for line in lines)

    def placements(count: int = 40) -> Counter[str]:
        return Counter(json.loads(read(f"http://127.0.0.1:{port}/gateway"))["node"] for _ in range(count))

    def go() -> None:
        wait_for(lambda: shows('ringway_collect_value{metric="cpu",node="one"} 0.5'), "the first value")
        wait_for(lambda: shows('ringway_collect_value{metric="cpu",node="two"} 0.5'), "the first value")
        assert set(placements()) == {"one", "two"}
        one.say(95)
        wait_for(lambda: shows('ringway_collect_gated{node="one"} 1.0'), "the gate to close")
        assert set(placements()) == {"two"}
        one.say(75)
        wait_for(lambda: shows('ringway_collect_value{metric="cpu",node="one"} 0.75'), "the value between the marks")
        assert shows('ringway_collect_gated{node="one"} 1.0', 'ringway_collect_gated{node="two"} 0.0')
        assert set(placements()) == {"two"}
        one.say(55)
        wait_for(lambda: shows('ringway_collect_gated{node="one"} 0.0'), "the gate to open")
        explained = json.loads(read(f"http://127.0.0.1:{admin_port}/v1/explain"))
        assert [each["eligible"] for each in explained["candidates"]] == [True, True]
        one.say(95)
        two.say(95)
        wait_for(lambda: shows('ringway_collect_panic{group="default"} 1.0'), "the panic")
        assert sum(placements().values()) == 40

    try:
        await asyncio.to_thread(go)
    finally:
        code, out, err = await asyncio.to_thread(end, gateway, 15)
        for server in servers:
            server.close()
    assert code == 0
    assert "Traceback" not in err
    assert not [secret for secret in KEYS.values() if secret in out + err]


async def _close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


def test_a_function_that_hangs_does_not_keep_a_gateway_from_its_end(tmp_path):
    admin_port = free_port()
    gateway = start(
        tmp_path,
        *("gateway", "--port", str(free_port()), "--admin-port", str(admin_port), "--backend", "ws://127.0.0.1:1"),
        *("--collect", "slow=call:integration.collect.sample_calls:hang,period=0.2"),
        PYTHONPATH=str(Path(__file__).parents[2]),
    )
    failed = 'ringway_collect_failures_total{metric="slow"}'
    try:
        wait_for(lambda: failed in read(f"http://127.0.0.1:{admin_port}/metrics"), "a call that hangs")
    finally:
        code, _, err = end(gateway, 15)
    assert code == 0
    assert "Traceback" not in err
