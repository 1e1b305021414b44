"""`ringway join` beside uvicorn, and a registration port on a real socket: the whole life of a server."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

from integration.registration.kit import registration_port
from integration.sidecar.kit import UVICORN, free_port, is_free, join
from ringway.protocol.order import DrainAnswer
from ringway.protocol.registration import BackendState
from ringway.types import NodeName, NodeState

OTHER_AT = "http://127.0.0.1:9"
SLEEPER = (sys.executable, "-c", "import time; time.sleep(300)")


class Cluster:
    """What the cluster says about each backend."""

    def __init__(self) -> None:
        self.left = 0
        self.why = ""
        self.drains: list[tuple[float, bool]] = []
        self.draining = False

    def find_state(self, name: NodeName) -> BackendState:
        return BackendState(state=NodeState.DRAINING if self.draining else NodeState.ACTIVE, left=self.left)

    async def judge(self, name: NodeName, within_s: float, force: bool) -> DrainAnswer:
        self.drains.append((within_s, force))
        why = "" if force else self.why
        self.draining = not why
        return DrainAnswer(why=why, connections=self.left, moves_per_s=1.0, needs_s=90.0)

    def parts(self) -> dict[str, Any]:
        return {"find_state": self.find_state, "judge": self.judge}


async def test_a_server_is_registered_when_its_port_answers() -> None:
    port = free_port()
    async with (
        registration_port() as registry,
        join(
            f"ws://127.0.0.1:{port}/live", "--at", registry.url, "--name", "chat", "--weight", "2", "--on-move",
            "reopen", "--group", "g", "--check", "/healthz", "--ttl-s", "3", "--", *UVICORN,
        ) as sidecar,
    ):  # fmt: skip
        await sidecar.until(registry.offers)
        backend = registry.offers()["chat"].backend
        assert (backend.url, backend.weight, backend.on_move) == (f"ws://127.0.0.1:{port}/live", 2.0, "reopen")
        assert (backend.group, backend.check, len(backend.life)) == ("g", "/healthz", 16)
        assert not is_free(port)
        first = registry.source.find("chat")
        await sidecar.until(lambda: registry.source.find("chat").until > first.until + 3.0)
        assert registry.source.find("chat").lease == first.lease


async def test_on_sigterm_the_clients_are_led_away_before_the_server_ends() -> None:
    port, cluster = free_port(), Cluster()
    cluster.left = 3
    async with (
        registration_port(parts=cluster.parts()) as registry,
        join(f"ws://127.0.0.1:{port}", "--at", registry.url, "--name", "chat", "--", *UVICORN) as sidecar,
    ):
        await sidecar.until(registry.offers)
        sidecar.process.send_signal(signal.SIGTERM)
        await sidecar.until(lambda: '"left": 3' in sidecar.log)
        assert registry.offers()["chat"].draining
        assert not is_free(port)  # it serves the clients that are left
        cluster.left = 0
        assert await sidecar.ended() == 0
        assert (cluster.drains, registry.sink.lost, registry.offers()) == ([(20.0, False)], ["chat"], {})
        assert is_free(port)


async def test_a_drain_that_is_refused_is_forced_because_the_process_ends_anyway() -> None:
    cluster = Cluster()
    cluster.left, cluster.why = 9, "at 1 move a second they need 90 s"
    async with (
        registration_port(parts=cluster.parts()) as registry,
        join(f"ws://127.0.0.1:{free_port()}", "--at", registry.url, "--drain-within-s", "1", "--", *UVICORN) as sidecar,
    ):
        await sidecar.until(registry.offers)
        sidecar.process.send_signal(signal.SIGTERM)
        assert await sidecar.ended() == 0
        assert cluster.drains == [(1.0, False), (1.0, True)]
        assert "at 1 move a second they need 90 s" in sidecar.log
        assert "the time for the drain is over" in sidecar.log


async def test_sigint_is_quick() -> None:
    cluster = Cluster()
    cluster.left = 5
    async with (
        registration_port(parts=cluster.parts()) as registry,
        join(
            f"ws://127.0.0.1:{free_port()}", "--at", registry.url, "--drain-within-s", "600", "--", *UVICORN
        ) as sidecar,
    ):
        await sidecar.until(registry.offers)
        sidecar.process.send_signal(signal.SIGINT)
        assert await sidecar.ended() == 0
        assert (cluster.drains, registry.offers()) == ([], {})
        await sidecar.until(lambda: '"stopped"' in sidecar.log.splitlines()[-1])
        assert '"exit_code": 0' in sidecar.log.splitlines()[-1]


async def test_a_sidecar_without_a_command_says_at_ctrl_c_that_it_has_stopped() -> None:
    async with registration_port() as registry, join(f"ws://127.0.0.1:{free_port()}", "--at", registry.url) as sidecar:
        await sidecar.until(lambda: "does not answer its check" in sidecar.log)
        sidecar.process.send_signal(signal.SIGINT)
        assert await sidecar.ended() == 0
        await sidecar.until(lambda: '"stopped"' in sidecar.log.splitlines()[-1])


async def test_a_second_signal_ends_at_once_with_the_server() -> None:
    port, cluster = free_port(), Cluster()
    cluster.left = 5
    async with (
        registration_port(parts=cluster.parts()) as registry,
        join(f"ws://127.0.0.1:{port}", "--at", registry.url, "--drain-within-s", "600", "--", *UVICORN) as sidecar,
    ):
        await sidecar.until(registry.offers)
        sidecar.process.send_signal(signal.SIGTERM)
        await sidecar.until(lambda: '"left": 5' in sidecar.log)
        sidecar.process.send_signal(signal.SIGTERM)
        assert await sidecar.ended() == 128 + signal.SIGTERM
        await sidecar.until(lambda: is_free(port))


async def test_the_end_of_the_command_is_a_death_at_once_and_its_code_is_passed_on(tmp_path: Path) -> None:
    server = tmp_path / "server.py"
    server.write_text(
        "import socket, sys, os\n"
        "one = socket.create_server(('127.0.0.1', int(sys.argv[1])))\n"
        "one.settimeout(0.05)\n"
        "while not os.path.exists(sys.argv[2]):\n"
        "    try: one.accept()\n"
        "    except OSError: pass\n"
        "sys.exit(7)\n"
    )
    end = tmp_path / "end"
    command = (sys.executable, str(server), "{port}", str(end))
    async with (
        registration_port() as registry,
        join(f"ws://127.0.0.1:{free_port()}", "--at", registry.url, "--name", "a", "--", *command) as sidecar,
    ):
        await sidecar.until(registry.offers)
        end.touch()
        assert await sidecar.ended() == 7
        assert (registry.sink.lost, registry.offers()) == (["a"], {})
        await sidecar.until(lambda: '"the command has ended"' in sidecar.log)


async def test_a_command_that_ends_before_its_port_answers_is_told() -> None:
    command = (sys.executable, "-c", "raise SystemExit(3)")
    async with (
        registration_port() as registry,
        join(f"ws://127.0.0.1:{free_port()}", "--at", registry.url, "--", *command) as sidecar,
    ):
        assert await sidecar.ended() == 3
        await sidecar.until(lambda: "the command has ended before its server was registered" in sidecar.log)


async def test_a_command_that_is_killed_is_lost_at_once() -> None:
    async with (
        registration_port() as registry,
        join(f"ws://127.0.0.1:{free_port()}", "--at", registry.url, "--ttl-s", "60", "--", *UVICORN) as sidecar,
    ):
        await sidecar.until(registry.offers)
        [name] = registry.offers()
        os.kill(child_of(sidecar.process.pid), signal.SIGKILL)
        assert await sidecar.ended() == 128 + signal.SIGKILL
        assert registry.sink.lost == [name]


async def test_the_command_ends_with_a_sidecar_that_is_killed() -> None:
    port = free_port()
    async with (
        registration_port() as registry,
        join(f"ws://127.0.0.1:{port}", "--at", registry.url, "--ttl-s", "1", "--", *UVICORN) as sidecar,
    ):
        await sidecar.until(registry.offers)
        sidecar.process.kill()
        await sidecar.until(lambda: is_free(port) and not registry.offers())
        assert len(registry.sink.lost) == 1


async def test_a_port_that_is_away_is_told_once_and_the_server_stays_up() -> None:
    port, tries = free_port(), 0

    def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal tries
        tries += 1
        writer.close()

    away = await asyncio.start_server(refuse, "127.0.0.1", 0)
    at = away.sockets[0].getsockname()[1]
    async with join(
        f"ws://127.0.0.1:{port}", "--at", f"http://127.0.0.1:{at}", "--ttl-s", "1", "--", *UVICORN
    ) as sidecar:
        await sidecar.until(lambda: tries >= 3)
        away.close()
        for _ in range(2):  # the port comes, and comes again without any memory
            async with registration_port(at) as registry:
                await sidecar.until(registry.offers)
        assert not is_free(port)
        assert sidecar.log.count("not registered; the server stays up") <= 2


async def test_the_next_port_is_asked_when_one_does_not_answer(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("# ours\n" + "t" * 32)
    async with (
        registration_port(tokens_file=str(tokens)) as registry,
        join(
            f"ws://127.0.0.1:{free_port()}", "--at", OTHER_AT, "--at", registry.url, "--token-file", str(tokens),
            "--", *UVICORN,
        ) as sidecar,
    ):  # fmt: skip
        await sidecar.until(registry.offers)


async def test_a_name_that_is_held_is_told_with_its_holder() -> None:
    async with registration_port() as registry:
        registry.source.register("chat", {"url": "ws://10.0.0.9:9000", "ttl_s": 300})
        port = free_port()
        async with join(f"ws://127.0.0.1:{port}", "--at", registry.url, "--name", "chat", "--", *UVICORN) as sidecar:
            await sidecar.until(lambda: "held by ws://10.0.0.9:9000" in sidecar.log)
            assert not is_free(port)
            registry.source.remove("chat", "", gone=False)
            await sidecar.until(
                lambda: registry.offers()["chat"].backend.url.endswith(str(port)) if registry.offers() else 0
            )


async def test_a_server_that_is_ill_dies_by_its_lease_and_comes_back_when_it_is_well(tmp_path: Path) -> None:
    ill = tmp_path / "ill"
    async with (
        registration_port() as registry,
        join(
            f"ws://127.0.0.1:{free_port()}", "--at", registry.url, "--ttl-s", "1", "--check", "/healthz",
            "--", *UVICORN, ILL=str(ill),
        ) as sidecar,
    ):  # fmt: skip
        await sidecar.until(registry.offers)
        ill.touch()
        await sidecar.until(lambda: registry.sink.lost and not registry.offers())
        ill.unlink()
        await sidecar.until(registry.offers)


async def test_a_server_that_does_not_answer_is_told_with_url_finding_rule_and_remedy() -> None:
    port, nobody = free_port(), free_port()
    async with registration_port() as registry:
        wrong_check = ("--check", "/nothing", "--", *UVICORN)
        async with (
            join(f"ws://127.0.0.1:{port}", "--at", registry.url, *wrong_check) as checked,
            join(f"ws://127.0.0.1:{nobody}", "--at", registry.url) as absent,
        ):
            await checked.until(lambda: f"GET /nothing at 127.0.0.1:{port}: the status is " in checked.log)
            await absent.until(lambda: f"a TCP connection at 127.0.0.1:{nobody}: nothing listens there" in absent.log)
            said = next(line for line in checked.log.splitlines() if ": the status is " in line)
            assert "does not answer its check yet" in said
            assert f"ws://127.0.0.1:{port}" in said
            assert "the answer has a status below 400" in said
            assert "correct --check, the URL, or the server" in said
            assert f"ws://127.0.0.1:{nobody}" in absent.log
            assert "start the server at this URL, or correct the URL" in absent.log
            assert registry.offers() == {}


async def test_workers_are_backends_of_their_own_and_one_that_dies_is_started_again() -> None:
    port = free_port(2)
    async with (
        registration_port() as registry,
        join(
            f"ws://127.0.0.1:{port}", "--at", registry.url, "--name", "w", "--workers", "2", "--ttl-s", "60",
            "--", *UVICORN,
        ) as sidecar,
    ):  # fmt: skip
        await sidecar.until(lambda: len(registry.offers()) == 2)
        offers = registry.offers()
        assert {name: offer.backend.url for name, offer in offers.items()} == {
            "w-1": f"ws://127.0.0.1:{port}",
            "w-2": f"ws://127.0.0.1:{port + 1}",
        }
        os.kill(child_of(sidecar.process.pid), signal.SIGKILL)
        await sidecar.until(lambda: registry.sink.lost)
        [lost] = registry.sink.lost
        await sidecar.until(lambda: lost in registry.offers())
        assert registry.offers()[lost].backend.life != offers[lost].backend.life
        sidecar.process.send_signal(signal.SIGTERM)
        assert await sidecar.ended() == 0
        assert registry.offers() == {}


async def test_a_server_without_a_command_is_registered_while_it_answers() -> None:
    port = free_port()
    command = [word.replace("{port}", str(port)) for word in UVICORN]
    async with (
        registration_port() as registry,
        join(f"ws://127.0.0.1:{port}", "--at", registry.url, "--ttl-s", "2") as sidecar,
    ):
        lives = set()
        for _ in range(2):
            server = await asyncio.create_subprocess_exec(*command)
            await sidecar.until(registry.offers)
            lives |= {offer.backend.life for offer in registry.offers().values()}
            server.kill()
            await server.wait()
            await sidecar.until(lambda: not registry.offers())
        assert len(lives) == 2
        sidecar.process.send_signal(signal.SIGTERM)
        assert await sidecar.ended() == 0


async def test_a_second_sidecar_of_a_server_that_is_registered_and_renewed_is_refused() -> None:
    port = free_port()
    url = f"ws://127.0.0.1:{port}"
    async with registration_port() as registry:
        common = (url, "--at", registry.url, "--name", "chat", "--ttl-s", "2")
        async with join(*common, "--", *UVICORN) as first:
            await first.until(registry.offers)
            held = registry.source.find("chat")
            for more in (("--", *UVICORN), ()):  # it would start a server of its own, or watch this one
                async with join(*common, *more) as second:
                    assert await second.ended() == 2
                    await second.until(lambda: f"'chat' is held by a live registration from {url}" in second.log)
            assert registry.source.find("chat").lease == held.lease
            assert registry.sink.lost == []


async def test_a_registration_that_nobody_renews_is_taken_over() -> None:
    port = free_port()
    command = [word.replace("{port}", str(port)) for word in UVICORN]
    server = await asyncio.create_subprocess_exec(*command)
    try:
        async with registration_port() as registry:
            url = f"ws://127.0.0.1:{port}"
            registry.source.register("chat", {"url": url, "ttl_s": 8, "incarnation": "its sidecar was killed"})
            async with join(url, "--at", registry.url, "--name", "chat", "--ttl-s", "60") as sidecar:
                await sidecar.until(lambda: len(registry.source.find("chat").backend.life) == 16)
    finally:
        server.kill()
        await server.wait()


def child_of(pid: int) -> int:
    """Return one child of the process `pid`."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
