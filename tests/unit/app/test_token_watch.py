"""The keys of tokens in a running process: files that are read again, and what the log says."""

from pathlib import Path
from random import Random

import pytest

from ringway.app.config import Given, load_config
from ringway.app.engine import EngineConfig
from ringway.app.reread import PATIENCE_S
from ringway.app.secret_watch import SecretWatch
from ringway.app.token_watch import TokenWatch, reread_on_hangup
from ringway.errors import ConfigError, TokenInvalid
from support.log_capture import capture_logs
from support.tokens import NOW, SECRET, make_token

OLD = b"the secret from before the change"
TOKEN = make_token({"sub": "42"})


class Member:
    """A process with the secret of tokens in a file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.file.write_bytes(OLD)
        self.now = 100.0
        flags = {"token.hmac_secret_key_file": Given(str(file), "a test")}
        self.watch = TokenWatch(load_config(flags=flags, environ={}).config, Random(1), lambda: self.now)

    def wait(self, seconds: float) -> None:
        for _ in range(round(2 * seconds)):
            self.now += 0.5
            self.watch.check_files()

    @property
    def believes(self) -> bool:
        assert self.watch.verifier is not None
        try:
            return self.watch.verifier.verify_connection(TOKEN, NOW).sub == "42"
        except TokenInvalid:
            return False


def test_a_new_secret_is_read_when_its_file_has_changed(tmp_path: Path) -> None:
    member = Member(tmp_path / "secret")
    with capture_logs() as logs:
        member.file.write_bytes(SECRET)
        member.wait(3)
    assert member.believes
    assert [(log["event"], log["cause"]) for log in logs] == [
        ("the keys of tokens have changed", "a change of the files")
    ]
    assert SECRET.decode() not in str(logs)


def test_a_secret_that_will_not_do_changes_nothing_and_is_told_once(tmp_path: Path) -> None:
    member = Member(tmp_path / "secret")
    member.file.write_bytes(SECRET)
    member.wait(3)
    with capture_logs() as logs:
        member.file.write_text("short")
        member.wait(3 * PATIENCE_S)
        assert member.believes
        assert [log["event"] for log in logs] == ["the last good keys of tokens stay in use"]
        assert "has 5 bytes" in logs[0]["why"]


def test_sighup_reads_at_once_and_is_answered_in_any_case(tmp_path: Path) -> None:
    member = Member(tmp_path / "secret")
    secrets = SecretWatch(EngineConfig(secret="s" * 32))
    with capture_logs() as logs:
        reread_on_hangup(secrets, member.watch)
        member.file.write_bytes(SECRET)
        reread_on_hangup(secrets, member.watch)
    assert member.believes
    assert [log["event"] for log in logs] == [
        "SIGHUP: the files of the keys of tokens have not changed; settings are read at the start",
        "the keys of tokens have changed",
    ]


def test_sighup_without_files_says_that_it_changes_nothing() -> None:
    tokens = TokenWatch(load_config(environ={}).config, Random(1))
    with capture_logs() as logs:
        reread_on_hangup(SecretWatch(EngineConfig(secret="s" * 32)), tokens)
    assert [log["event"].partition(":")[0] for log in logs] == ["SIGHUP changes nothing"]


def test_a_process_that_checks_no_tokens_reads_no_keys() -> None:
    flags = {"token.hmac_secret_key_file": Given("/none", "a test")}
    config = load_config(flags=flags, environ={}).config
    assert TokenWatch(config, Random(1), wanted=False).verifier is None
    with pytest.raises(ConfigError, match="/none"):
        TokenWatch(config, Random(1))
