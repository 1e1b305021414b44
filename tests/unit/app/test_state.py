import os
import resource
import stat
import subprocess
import sys

import msgspec
import pytest

from ringway.app.config import load_config, load_joined
from ringway.app.start_check import secret_problems
from ringway.app.state import (
    Running,
    find_running,
    forget_running,
    keep_secret,
    prepare,
    process_started,
    state_dir,
    write_running,
)
from ringway.engine.private_file import write_private
from ringway.errors import ConfigError


def running(**changes) -> Running:
    own = Running(
        pid=os.getpid(),
        started=process_started(os.getpid()) or "",
        engine_url="nats://u:p@127.0.0.1:4222",
        cluster="ringway",
        secret="s" * 32,
        gateway_url="http://127.0.0.1:8000",
        admin_url="http://127.0.0.1:8001",
        logs="/logs",
    )
    return msgspec.structs.replace(own, **changes)


def test_the_directory_is_the_given_one_then_the_environments_then_the_users():
    environ = {"RINGWAY_STATE_DIR": "/env", "XDG_STATE_HOME": "/xdg"}
    assert str(state_dir("/given", environ)) == "/given"
    assert str(state_dir(None, environ)) == "/env"
    assert str(state_dir(None, {"XDG_STATE_HOME": "/xdg"})) == "/xdg/ringway"
    assert state_dir(None, {"XDG_STATE_HOME": "relative"}).parts[-3:] == (".local", "state", "ringway")


def test_what_is_written_is_found_and_only_its_owner_can_read_it(tmp_path):
    directory = tmp_path / "a" / "b"
    prepare(directory)
    write_running(directory, running())
    assert find_running(directory) == running()
    assert stat.S_IMODE((directory / "up.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert [path.name for path in directory.iterdir()] == ["up.json"]
    forget_running(directory)
    forget_running(directory)
    assert find_running(directory) is None


def test_what_a_dead_process_left_is_not_found(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", ""])
    started = process_started(child.pid)
    child.wait()
    write_running(tmp_path, running(pid=child.pid, started=started or ""))
    assert find_running(tmp_path) is None


def test_a_later_process_with_the_same_id_is_not_taken_for_it(tmp_path):
    write_running(tmp_path, running(started="another boot:1"))
    assert find_running(tmp_path) is None


@pytest.mark.parametrize("left", [b"", b"{", b"{}"])
def test_a_file_that_cannot_be_read_is_as_good_as_none(tmp_path, left):
    (tmp_path / "up.json").write_bytes(left)
    assert find_running(tmp_path) is None


def test_a_zombie_does_not_count_as_running():
    child = subprocess.Popen([sys.executable, "-c", "print()"], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.read()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert process_started(child.pid) is None
    child.wait()
    child.stdout.close()


def test_the_secret_is_kept_and_private(tmp_path):
    first = keep_secret(tmp_path)
    assert len(first) == 64
    assert keep_secret(tmp_path) == first
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_a_directory_that_cannot_be_made_is_a_config_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="--state"):
        prepare(tmp_path / "file" / "below")


@pytest.fixture
def _clean(monkeypatch):
    for name in [name for name in os.environ if name.startswith("RINGWAY_")]:
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("_clean")
class TestJoining:
    def test_the_running_system_is_joined_where_no_engine_is_named(self, tmp_path):
        write_running(tmp_path, running())
        loaded = load_joined(state=str(tmp_path))
        assert (loaded.config.engine.url, loaded.config.engine.secret) == ("nats://u:p@127.0.0.1:4222", "s" * 32)
        assert "up.json" in loaded.origin("engine.url")

    def test_a_named_engine_is_used_without_the_secret_of_another_system(self, tmp_path, monkeypatch):
        write_running(tmp_path, running())
        monkeypatch.setenv("RINGWAY_ENGINE_URL", "nats://elsewhere:4222")
        engine = load_joined(state=str(tmp_path)).config.engine
        assert (engine.url, engine.secret) == ("nats://elsewhere:4222", "")

    def test_the_secrets_of_the_running_system_are_used_where_its_engine_is_named(self, tmp_path, monkeypatch):
        write_running(tmp_path, running())
        monkeypatch.setenv("RINGWAY_ENGINE_URL", "nats://u:p@127.0.0.1:4222")
        loaded = load_joined(state=str(tmp_path))
        assert (loaded.config.engine.url, loaded.config.engine.secret) == ("nats://u:p@127.0.0.1:4222", "s" * 32)
        monkeypatch.setenv("RINGWAY_STATE_DIR", str(tmp_path))
        assert secret_problems(load_config()) == []
        monkeypatch.setenv("RINGWAY_ENGINE_CLUSTER", "another")
        assert "there is no secret" in secret_problems(load_config())[0]
        assert load_joined(state=str(tmp_path)).config.engine.secret == ""
        monkeypatch.delenv("RINGWAY_ENGINE_CLUSTER")
        monkeypatch.setenv("RINGWAY_ENGINE_SECRET", "t" * 32)
        assert load_joined(state=str(tmp_path)).config.engine.secret == "t" * 32

    def test_nothing_running_says_what_to_do(self, tmp_path):
        with pytest.raises(ConfigError, match="ringway up"):
            load_joined(state=str(tmp_path))

    def test_a_gateway_over_backends_needs_no_system_unless_one_is_named(self, tmp_path, monkeypatch):
        monkeypatch.setenv("RINGWAY_STATIC_BACKENDS", "ws://127.0.0.1:1")
        assert load_joined().config.engine.url == ""
        with pytest.raises(ConfigError, match="ringway up"):
            load_joined(state=str(tmp_path))


class TestSecret:
    def test_it_is_made_once_for_its_owner_alone_and_found_again(self, tmp_path):
        secret = keep_secret(tmp_path)
        assert len(secret) == 64
        assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
        assert keep_secret(tmp_path) == secret
        assert [path.name for path in tmp_path.iterdir()] == ["secret"]

    @pytest.mark.parametrize("left", [b"", b"\n", b"\0" * 64], ids=["empty", "blank", "zeros"])
    def test_one_that_a_crash_left_empty_is_made_anew(self, tmp_path, left):
        (tmp_path / "secret").write_bytes(left)
        secret = keep_secret(tmp_path)
        assert len(secret) == 64
        assert keep_secret(tmp_path) == secret

    @pytest.mark.parametrize("left", [b"short", b"\xff" * 32, b"a" * 20 + b"\0" * 12], ids=["cut", "bytes", "torn"])
    def test_one_that_is_damaged_is_told_with_the_remedy_and_left(self, tmp_path, left):
        (tmp_path / "secret").write_bytes(left)
        with pytest.raises(ConfigError, match=r"secret is damaged; restore the file, or remove it"):
            keep_secret(tmp_path)
        assert (tmp_path / "secret").read_bytes() == left

    def test_what_cannot_be_read_is_told(self, tmp_path):
        (tmp_path / "secret").mkdir()
        with pytest.raises(ConfigError, match="cannot be used"):
            keep_secret(tmp_path)


def test_a_full_disk_leaves_the_old_file_whole(tmp_path):
    """The limit on the size of files stands for the disk: both fail in the midst of a write."""
    write_private(tmp_path / "up.json", "old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_private(tmp_path / "up.json", "n" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (tmp_path / "up.json").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["up.json"]


def test_no_home_directory_is_told(monkeypatch):
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda _: {}[0])
    with pytest.raises(ConfigError, match=r"cannot be found .*; give one with --state"):
        state_dir(None, {})


def test_a_home_that_is_not_there_is_told():
    with pytest.raises(ConfigError, match="give one with --state"):
        state_dir("~nobody-of-that-name/x", {})
