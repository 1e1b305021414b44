"""SNMP against the snmpd that Debian ships: both versions, its values, its refusals, and its restarts."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.collect.kit import (
    AUTH_KEY,
    COMMUNITY,
    IDLE_OID,
    NODE,
    OWN_OID,
    PRIV_KEY,
    PROCESSOR_OID,
    TEXT_OID,
    USER,
    Snmpd,
)
from ringway.collect.collector import CollectFailed
from ringway.collect.sources import read_probes

V2 = f"community={COMMUNITY}"
V3 = f"user={USER},auth=SHA256,auth_key={AUTH_KEY},priv=AES,priv_key={PRIV_KEY}"


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Snmpd]:
    agent = Snmpd(tmp_path / "agent")
    agent.start()
    yield agent
    agent.stop()


async def ask(agent: Snmpd, what: str, options: str, *, times: int = 1, timeout: float = 1.0) -> float:
    """Ask through a collector of its own; return the last answer."""
    (probe,) = read_probes((f"m=snmp://{{host}}:{agent.port}/{what},{options},timeout={timeout}",))
    try:
        for _ in range(times):
            value = await probe.collector.collect(NODE)
    finally:
        await probe.collector.close()
    assert isinstance(value, float)
    return value


@pytest.mark.parametrize("options", [V2, V3], ids=["v2c", "v3"])
async def test_both_versions_are_spoken(agent, options):
    agent.say(42)
    assert await ask(agent, OWN_OID, options, times=3) == 42
    assert await ask(agent, f".{OWN_OID}", options) == 42


def memory_in_use() -> float:
    facts = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    kib = {name: int(value.split()[0]) for name, value in facts.items()}
    free = kib["MemFree"] + kib["Buffers"] + kib["Cached"]
    return 1 - free / kib["MemTotal"]


@pytest.mark.parametrize("options", [V2, V3], ids=["v2c", "v3"])
async def test_memory_is_what_the_kernel_says(agent, options):
    assert await ask(agent, "memory", options) == pytest.approx(memory_in_use(), abs=0.15)


async def test_load_is_the_run_queue(agent):
    assert 0 <= await ask(agent, "load", V2) < 1000


async def test_cpu_is_what_is_not_idle(tmp_path):
    agent = Snmpd(tmp_path / "idle", more=f"override .{IDLE_OID} integer 25\n")
    agent.start()
    try:
        assert await ask(agent, "cpu", V2) == 0.75
    finally:
        agent.stop()


async def test_cpu_is_the_mean_of_processors_where_idleness_is_not_told(tmp_path):
    column = "".join(
        f"override .{PROCESSOR_OID}.{196608 + index} integer {load}\n" for index, load in enumerate((20, 60, 100))
    )
    agent = Snmpd(tmp_path / "processors", more=f"{column}rocommunity processors 127.0.0.0/8 .{PROCESSOR_OID}\n")
    agent.start()
    try:
        assert await ask(agent, "cpu", "community=processors") == pytest.approx(0.6)
    finally:
        agent.stop()


@pytest.mark.parametrize("options", [V2, V3], ids=["v2c", "v3"])
async def test_what_is_not_there_or_no_number_is_told(agent, options):
    with pytest.raises(CollectFailed, match=r"the agent has nothing at 1\.3\.6\.1\.4\.1\.8072\.9999\.77"):
        await ask(agent, "1.3.6.1.4.1.8072.9999.77", options)
    with pytest.raises(CollectFailed, match="is no number but 'much'"):
        await ask(agent, TEXT_OID, options)


async def test_an_agent_that_does_not_answer_is_told(agent):
    agent.stop()
    with pytest.raises(CollectFailed, match="No SNMP response received before timeout"):
        await ask(agent, "load", V2, timeout=0.4)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ("community=wrong", "No SNMP response"),  # agents do not answer to strangers
        (f"user=stranger,auth_key={AUTH_KEY},priv_key={PRIV_KEY}", "Unknown USM user"),
        (f"user={USER},auth_key=not-the-right-one,priv_key={PRIV_KEY}", "Wrong SNMP PDU digest"),
        (f"user={USER},auth_key={AUTH_KEY}", "authorizationError"),
    ],
)
async def test_wrong_credentials_are_told(agent, options, problem):
    with pytest.raises(CollectFailed, match=problem):
        await ask(agent, "load", options, timeout=0.6)


@pytest.mark.parametrize("anew", [False, True], ids=["restarted", "set up anew"])
@pytest.mark.parametrize("options", [V2, V3], ids=["v2c", "v3"])
async def test_an_agent_that_was_restarted_is_heard_again_and_disturbs_no_other(tmp_path, options, anew):
    agents = [Snmpd(tmp_path / "one"), Snmpd(tmp_path / "two", host="127.0.0.2")]
    agents[1].port = agents[0].port
    (probe,) = read_probes((f"m=snmp://{{host}}:{agents[0].port}/{OWN_OID},{options},timeout=1",))
    nodes = [NODE, type(NODE)(name=NODE.name, url="", host="127.0.0.2", port=0)]
    try:
        for agent in agents:
            agent.start()
        assert [await probe.collector.collect(node) for node in nodes] == [0, 0]
        agents[0].stop()
        if anew:
            agents[0].forget()
        agents[0].say(7)
        agents[0].start()
        answers = []
        while 7 not in answers:
            assert len(answers) < 20
            try:
                answers.append(await probe.collector.collect(nodes[0]))
            except CollectFailed:
                answers.append(None)
            assert await probe.collector.collect(nodes[1]) == 0
    finally:
        await probe.collector.close()
        for agent in agents:
            agent.stop()
    assert len(asyncio.all_tasks()) == 1  # nothing of pysnmp's is left
