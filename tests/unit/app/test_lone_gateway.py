"""Notes of gateways without an engine: found while their process runs, forgotten after it."""

import asyncio
import os
import subprocess
import sys

import msgspec
import pytest

from ringway.app.lone_gateway import LoneGateway, be_noted, find_ended, find_gateways, forget_gateway, note_gateway
from ringway.app.state import process_started
from ringway.engine.private_file import write_private

URL, ADMIN = "http://127.0.0.1:8000", "http://127.0.0.1:8001"


def test_a_gateway_is_found_until_it_forgets_itself(tmp_path):
    assert find_gateways(tmp_path / "none") == []
    note_gateway(tmp_path, URL, ADMIN)
    [found] = find_gateways(tmp_path)
    assert (found.pid, found.url, found.admin_url) == (os.getpid(), URL, ADMIN)
    forget_gateway(tmp_path)
    forget_gateway(tmp_path)
    assert find_gateways(tmp_path) == []


def test_the_note_of_a_dead_process_counts_as_none_and_goes_with_the_next(tmp_path):
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    gone = LoneGateway(pid=int(dead.stdout), started="then", url=URL, admin_url=ADMIN)
    path = tmp_path / f"gateway-{gone.pid}.json"
    write_private(path, msgspec.json.encode(gone).decode())
    assert find_gateways(tmp_path) == []
    assert find_ended(tmp_path) == [gone]
    note_gateway(tmp_path, URL, ADMIN)
    assert not path.exists()
    assert find_ended(tmp_path) == []


def test_a_process_with_the_id_of_a_dead_one_is_another(tmp_path):
    note = LoneGateway(pid=os.getpid(), started="before", url=URL, admin_url=ADMIN)
    write_private(tmp_path / f"gateway-{note.pid}.json", msgspec.json.encode(note).decode())
    assert process_started(os.getpid()) != "before"
    assert find_gateways(tmp_path) == []


def test_what_is_no_note_is_passed_over(tmp_path):
    (tmp_path / "gateway-1.json").write_text("{")
    (tmp_path / "gateway-2.json").mkdir()
    note_gateway(tmp_path, URL, ADMIN)
    assert len(find_gateways(tmp_path)) == 1


async def test_without_a_place_for_the_note_the_gateway_runs_on(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setenv("RINGWAY_STATE_DIR", str(file / "below"))
    noted = asyncio.create_task(be_noted(URL, ADMIN))
    await asyncio.sleep(0)
    assert not noted.done()
    noted.cancel()
    with pytest.raises(asyncio.CancelledError):
        await noted


async def test_it_is_noted_as_long_as_it_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("RINGWAY_STATE_DIR", str(tmp_path))
    noted = asyncio.create_task(be_noted(URL, ADMIN))
    await asyncio.sleep(0)
    assert len(find_gateways(tmp_path)) == 1
    noted.cancel()
    with pytest.raises(asyncio.CancelledError):
        await noted
    assert find_gateways(tmp_path) == []
