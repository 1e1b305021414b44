"""A node that was stopped past its lease and goes on gives up the clients that it held."""

import asyncio
import os
import signal

from integration.system.witness import reaches_all, until


async def test_a_node_that_was_stopped_past_its_lease_sends_its_clients_away_and_is_back(system, witnesses):
    crowd = await witnesses(20)
    held = [witness for witness in crowd if witness.nodes[-1] == "node-1"]
    others = [witness for witness in crowd if witness.nodes[-1] != "node-1"]
    assert held
    assert others
    pid = system.kill("node-1", signal.SIGSTOP)
    await until(lambda: "node-1" not in system.nodes(), "the others to give it up")
    assert not any(witness.ends for witness in crowd), "its clients have not noticed"
    os.kill(pid, signal.SIGCONT)
    await until(lambda: all(witness.ends for witness in held), "its clients to be sent away")
    assert [witness.ends[0] for witness in held] == [(1012, "fenced")] * len(held)
    await until(lambda: "node-1" in system.nodes(), "it to be a member again")
    assert system.pid_of("node-1") == pid
    await until(lambda: all(witness.listening for witness in crowd), "everybody to be back")
    await reaches_all(crowd, "after the stop")
    ends = [reason for witness in others for _, reason in witness.ends]
    assert all(reason.startswith("move ") for reason in ends), "the balancer at most touched them"


async def test_a_short_stop_disturbs_nobody(system, witnesses):
    crowd = await witnesses(10)
    pid = system.kill("node-1", signal.SIGSTOP)
    await asyncio.sleep(0.7)
    os.kill(pid, signal.SIGCONT)
    await reaches_all(crowd, "after a short stop")
    assert not any(witness.ends for witness in crowd)
