"""An admin port with tokens: commands, probes and scrapes with the right token, without one, and with too little."""

import asyncio
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from integration.cli.test_lone_gateway import command, lone_gateway, well

READ, OPERATE = "r" * 20, "o" * 20


def files_in(folder: Path) -> tuple[Path, Path]:
    read, operate = folder / "read", folder / "operate"
    read.write_text(READ + "\n")
    operate.write_text(OPERATE + "\n")
    return read, operate


def ask(url: str, token: str = "") -> int:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


@pytest.mark.slow
async def test_commands_do_what_their_token_allows(tmp_path: Path) -> None:
    read, operate = files_in(tmp_path)
    flags = ("--admin-read-tokens-file", str(read), "--admin-operate-tokens-file", str(operate))
    async with lone_gateway(tmp_path / "gateway", *flags, token=READ) as gateway:
        state, at = tmp_path / "elsewhere", ("--admin", gateway.admin)
        refused = await command(state, "nodes", *at)
        assert refused.returncode == 2
        assert "--admin-token-file" in refused.stderr
        found = await command(gateway.state, "nodes")
        assert "RINGWAY_ADMIN_TOKEN" in found.stderr, "also where the gateway is found by itself"
        assert "a  " in await well(gateway.state, "nodes", "--admin-token-file", str(read))

        reading, operating = (*at, "--admin-token-file", str(read)), (*at, "--admin-token-file", str(operate))
        for words in (("nodes",), ("top", "--once"), ("moves",), ("explain",), ("policy",)):
            await well(state, *words, *reading)
        for words in (("drain", "a"), ("freeze",), ("rebalance",), ("policy", "set", "rendezvous")):
            refused = await command(state, *words, *reading)
            assert refused.returncode != 0
            assert "admin.operate_tokens_file" in refused.stderr, words
            assert (await command(state, *words, *operating)).returncode == 0, words
        by_environment = await command(state, "undrain", "a", *at, RINGWAY_ADMIN_TOKEN=OPERATE)
        assert by_environment.returncode == 0, by_environment.stderr
        wrong = await command(state, "nodes", *at, RINGWAY_ADMIN_TOKEN="x" * 20)
        assert "the token is not known" in wrong.stderr
        assert "x" * 20 not in wrong.stderr


@pytest.mark.slow
async def test_a_port_that_others_reach_answers_only_probes_without_tokens(tmp_path: Path) -> None:
    async with lone_gateway(tmp_path, "--admin-host", "0.0.0.0", token=None) as gateway:
        for path, status in {"/healthz": 200, "/readyz": 200, "/metrics": 401, "/v1/nodes": 401}.items():
            assert await asyncio.to_thread(ask, gateway.admin + path) == status, path


@pytest.mark.slow
async def test_monitoring_reads_by_its_token_or_openly(tmp_path: Path) -> None:
    read, _ = files_in(tmp_path)
    flags = ("--admin-host", "0.0.0.0", "--admin-read-tokens-file", str(read))
    async with lone_gateway(tmp_path / "a", *flags, token=READ) as gateway:
        assert await asyncio.to_thread(ask, gateway.admin + "/metrics") == 401
        assert await asyncio.to_thread(ask, gateway.admin + "/metrics", READ) == 200
    async with lone_gateway(tmp_path / "b", *flags, "--admin-open-metrics", token=READ) as gateway:
        assert await asyncio.to_thread(ask, gateway.admin + "/metrics") == 200
        assert await asyncio.to_thread(ask, gateway.admin + "/v1/nodes") == 401
