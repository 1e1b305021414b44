"""A system that `ringway up` runs, and the commands that find it by itself."""

import asyncio
import http.client
import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from integration.cli.kit import end, processes_of, run, start
from support.system import System, running_system, wait_for


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with running_system() as running:
        # The gateway is ready a moment before `up` has seen it and said so.
        wait_for(lambda: "Ctrl-C stops" in (running.state / "up.out").read_text(), "the panel")
        yield running


def ask(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def listening(process: "subprocess.Popen[str]") -> None:
    """Return when `ringway sub` says that it is subscribed."""
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("subscribed"):
            return
    raise AssertionError("`ringway sub` ended before it was subscribed")


def test_up_says_where_everything_is_and_what_to_try(system):
    panel = (system.state / "up.out").read_text()
    for part in (
        system.gateway_url,
        f"{system.admin_url}/metrics",
        "node-1  ws://127.0.0.1:",
        "new WebSocket(",
        f"{system.gateway_url}/healthz",
        "ringway node",
        "ringway top",
        str(system.state / "logs"),
    ):
        assert part in panel
    assert "│" not in panel, "frames at the sides would be copied with the code"


def test_no_secret_stands_in_a_command_line_or_a_log(system):
    running = json.loads((system.state / "up.json").read_text())
    secret = Path(running["secret_file"]).read_text().strip()
    assert len(secret) >= 32
    password = running["engine_url"].split("@")[0].rpartition(":")[2]
    commands = processes_of(system.state)
    assert len(commands) >= 4
    logs = [*system.state.glob("logs/*.log"), system.state / "up.log", system.state / "up.out"]
    for text in [*commands.values(), *(log.read_text() for log in logs)]:
        assert secret not in text
        assert password not in text


def test_nodes_are_listed_for_people_and_programs_as_on_the_admin_port(system):
    table = run(system.state, "nodes").stdout
    assert "node-1" in table
    assert "gateway-1" in table
    listed = json.loads(run(system.state, "nodes", "--json").stdout)
    assert {"node-1", "node-2"} <= {node["name"] for node in listed}
    status, raw = ask(f"{system.admin_url}/v1/nodes")
    assert status == 200
    assert [set(node) for node in json.loads(raw)] == [set(node) for node in listed]


def test_the_admin_ports_tell_health_and_metrics(system):
    for url, role in ((system.admin_url, "gateway"), (system.nodes()["node-1"]["admin_url"], "node")):
        status, raw = ask(f"{url}/healthz")
        health = json.loads(raw)
        assert (status, health["role"], health["engine"], health["ready"]) == (200, role, "up", True)
        assert ask(f"{url}/readyz")[0] == 200
        assert "ringway_engine_up 1.0" in ask(f"{url}/metrics")[1]
    wait_for(lambda: json.loads(ask(f"{system.admin_url}/v1/gateways")[1])[0]["leading"], "a leading balancer")


def test_no_port_of_the_system_is_read_under_a_name_that_could_be_anybodys(system):
    nodes = [node["admin_url"] for node in system.nodes().values()]
    for url in (system.admin_url, *nodes, system.gateway_url):
        path = "/healthz" if url == system.gateway_url else "/metrics"
        answers = {}
        for host in ("127.0.0.1:1", "localhost", "evil.example", "evil.example:8001"):
            connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
            with closing(connection):
                connection.request("GET", path, headers={"Host": host})
                answers[host] = connection.getresponse().status
        assert list(answers.values()) == [200, 200, 403, 403], url


def test_head_is_answered_as_get_is_without_a_body(system):
    connection = http.client.HTTPConnection(urlsplit(system.admin_url).netloc, timeout=10)
    with closing(connection):
        for method in ("HEAD", "GET", "HEAD", "GET"):  # on one connection
            connection.request(method, "/healthz")
            answer = connection.getresponse()
            body = answer.read()
            assert (answer.status, bool(body)) == (200, method == "GET")


def test_what_is_published_arrives_whatever_its_kind(system):
    listener = start(system.state, "sub", "room", "-n", "3", "--json")
    listening(listener)
    for data in ("hello", '{"a": [1, 2]}', "17"):
        assert run(system.state, "pub", "room", data).returncode == 0
    out, _ = listener.communicate(timeout=30)
    assert listener.returncode == 0
    assert [json.loads(line)["data"] for line in out.splitlines()] == ["hello", {"a": [1, 2]}, 17]


def test_ctrl_c_ends_a_subscriber_quietly(system):
    listener = start(system.state, "sub", "a", "b")
    listening(listener)
    assert end(listener) == (130, "", "")


def test_a_node_joins_drains_and_comes_back(system):
    listener = start(system.state, "sub", "room")
    listening(listener)
    node = system.start("node")
    wait_for(lambda: "node-3" in system.nodes(), "the third node, called by the smallest free number")
    holder = wait_for(
        lambda: next((name for name, each in system.nodes().items() if each["connections"]), None), "the subscriber"
    )
    drained = json.loads(run(system.state, "drain", holder, "--json").stdout)
    assert (drained["node"], drained["connections"], drained["moved"]) == (holder, 0, 1)
    assert json.loads(ask(system.nodes()[holder]["admin_url"] + "/healthz")[1])["problems"] == ["draining"]
    assert ask(system.nodes()[holder]["admin_url"] + "/readyz")[0] == 503
    assert "takes connections again" in run(system.state, "undrain", holder).stdout
    wait_for(lambda: system.nodes()[holder]["state"] == "active", "the node to be active")
    assert "drains" in run(system.state, "drain", "node-3", "--no-wait").stdout
    node.send_signal(2)
    assert node.wait(30) == 0
    wait_for(lambda: "node-3" not in system.nodes(), "the third node to be gone")
    code, _, err = end(listener)
    assert code == 130
    assert "moved to" in err


def test_the_balancers_plan_is_shown_and_asked_for(system):
    wait_for(lambda: run(system.state, "rebalance", "--dry-run").returncode == 0, "a balancer")
    plan = json.loads(run(system.state, "rebalance", "--dry-run", "--json").stdout)
    assert plan["quotas"] == []
    assert set(plan["load"]) == {"node-1", "node-2"}
    assert run(system.state, "rebalance").returncode == 0


def test_top_and_bench_show_what_the_nodes_do(system):
    measured = run(system.state, "bench", "--clients", "5", "--seconds", "1", "--rate", "20", "--json")
    figures = json.loads(measured.stdout)
    assert (figures["delivered"], figures["published"]) == (100, 20)
    shown = run(system.state, "top", "--once").stdout
    assert "node-1" in shown
    assert "deliv/s" in shown
    [first, *_] = json.loads(run(system.state, "top", "--json").stdout)
    assert first["moves_per_s"] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("drain", "nobody"), "there is no node 'nobody'; there are node-1, node-2"),
        (("node", "--name", "node-1"), "the name 'node-1' is in use"),
        (("node", "--name", "a b"), "the name 'a b' is not usable"),
        (("up",), "runs already"),
        (("pub", "room", "x", "--url", "http://127.0.0.1:1"), "no gateway can be reached"),
        (
            ("gateway", "--policy", "best"),
            "gateway.policy is 'best' (--policy): the policy 'best' is unknown; choose one",
        ),
        (("policy", "set", "best"), "the policy 'best' is unknown; choose one of"),
        (("policy", "set", "two-choice"), "did you mean 'two-choices'?"),
        (
            ("policy", "set", "two-choices:d=9"),
            "the option d=9 of the policy two-choices is wrong: give a whole number",
        ),
        (("policy", "set", "ring:bound=1"), "the policy ring has no option 'bound'"),
        (("explain", "--gateway", "nobody"), "there is no gateway 'nobody'; there are gateway-1"),
    ],
)
def test_what_cannot_be_is_said_in_one_line_with_exit_code_2(system, arguments, said):
    done = run(system.state, *arguments)
    assert done.returncode == 2, done.stderr
    [line] = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert line.startswith("ringway: ")
    assert said in line


async def test_members_that_start_at_one_moment_get_different_names(system):
    nodes = [system.start("node") for _ in range(2)]
    expected = {"node-1", "node-2", "node-3", "node-4"}
    await asyncio.to_thread(wait_for, lambda: set(system.nodes()) == expected, "both nodes")
    for node in nodes:
        node.send_signal(15)
    assert [node.wait(30) for node in nodes] == [0, 0]


def test_a_gateway_that_cannot_start_says_only_why(system):
    port = system.gateway_url.rpartition(":")[2]
    done = run(system.state, "gateway", "--backend", "ws://127.0.0.1:9", "--port", port, "--no-admin-enabled")
    assert done.returncode == 2
    assert "this gateway is alone" not in done.stderr
    assert "cannot listen on" in done.stderr


def test_rebalancing_a_group_that_is_not_there_is_refused(system):
    wait_for(lambda: run(system.state, "rebalance", "--dry-run").returncode == 0, "a balancer")
    done = run(system.state, "rebalance", "--group", "nope")
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no group 'nope'" in done.stderr


def test_a_gateway_over_backends_of_its_own_says_that_it_does_not_join_the_system(system):
    gateway = start(system.state, "gateway", "--backend", "ws://127.0.0.1:9", "--port", "0", "--no-admin-enabled")
    try:
        assert gateway.stderr is not None
        said = next(line for line in gateway.stderr if "this gateway is alone" in line)
        assert system.gateway_url in said
    finally:
        end(gateway)
