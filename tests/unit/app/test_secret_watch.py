"""The cluster's secrets in a running process: what it takes over, when, and what it says."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ringway.app.engine import EngineConfig
from ringway.app.reread import PATIENCE_S
from ringway.app.secret_watch import SecretWatch
from ringway.errors import ConfigError
from ringway.file_watch import REST_S
from ringway.protocol.keyring import Purpose, derive_key, fingerprint_of
from support.log_capture import capture_logs

OLD, NEW = "o" * 32, "n" * 32
CHANGED, STAY = "the cluster's secrets have changed", "the last good secrets stay in use"


class Member:
    """A process with a secret and a previous secret in files."""

    def __init__(self, directory: Path, **settings: str) -> None:
        self.secret, self.previous = directory / "secret", directory / "previous"
        self.secret.write_text(f"{OLD}\n")
        self.previous.write_text("")
        files = {"secret_file": str(self.secret), "previous_secret_file": str(self.previous), "hash_secret": "h" * 16}
        self.now = 100.0
        self.watch = SecretWatch(EngineConfig(**{**files, **settings}), lambda: self.now)

    def wait(self, seconds: float) -> None:
        """Let `seconds` pass, with a check of the files each half second."""
        for _ in range(round(2 * seconds)):
            self.now += 0.5
            self.watch.check_files()

    @property
    def secrets(self) -> tuple[str, ...]:
        """The fingerprints of the secrets that it believes."""
        return self.watch.keyring.fingerprints


def prints(*secrets: str) -> tuple[str, ...]:
    return tuple(fingerprint_of(secret.encode()) for secret in secrets)


@pytest.fixture
def logs() -> Iterator[list[dict[str, Any]]]:
    with capture_logs() as events:
        yield events


def events(logs: list[dict[str, Any]], event: str) -> list[dict[str, Any]]:
    return [log for log in logs if log["event"] == event]


def test_the_three_steps_of_a_change_are_followed_each_with_one_line(
    tmp_path: Path, logs: list[dict[str, Any]]
) -> None:
    member = Member(tmp_path)
    for secret, previous in ((OLD, NEW), (NEW, OLD), (NEW, "")):
        member.secret.write_text(secret)
        member.previous.write_text(previous)
        member.wait(3)
        assert member.secrets == prints(*filter(None, (secret, previous)))
    assert member.watch.keyring.keys(Purpose.BUS) == (derive_key(NEW.encode(), Purpose.BUS),)
    (old,), (new,) = prints(OLD), prints(NEW)
    said = [(log["signs"], log["accepts"]) for log in events(logs, CHANGED)]
    assert said == [(old, new), (new, old), (new, "")]
    assert len(logs) == 3
    assert OLD not in str(logs)
    assert NEW not in str(logs)


def test_nothing_is_read_before_the_file_rests(tmp_path: Path) -> None:
    member = Member(tmp_path)
    member.secret.write_text(NEW)
    member.watch.check_files()
    member.now += REST_S - 0.1
    member.watch.check_files()
    assert member.secrets == prints(OLD)
    member.now += 0.1
    member.watch.check_files()
    assert member.secrets == prints(NEW)


@pytest.mark.parametrize("order", ["secret first", "previous first"])
def test_files_that_are_written_one_after_the_other_lose_no_secret_between(
    tmp_path: Path, logs: list[dict[str, Any]], order: str
) -> None:
    member = Member(tmp_path)
    member.previous.write_text(NEW)
    member.wait(3)
    writes = [(member.secret, NEW), (member.previous, OLD)]
    for file, text in writes if order == "secret first" else reversed(writes):
        file.write_text(text)
        member.wait(PATIENCE_S / 2)
        assert set(member.secrets) == set(prints(OLD, NEW))
    assert member.secrets == prints(NEW, OLD)
    assert [log["log_level"] for log in logs] == ["info", "info"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("short", "give at least 16"),
        ("", "write the secret into it"),
        (None, "cannot be read"),
        (NEW, "is the same as"),
    ],
    ids=["short", "empty", "missing", "twice the same"],
)
def test_a_secret_that_will_not_do_changes_nothing_and_is_told_once(
    tmp_path: Path, logs: list[dict[str, Any]], text: str | None, why: str
) -> None:
    member = Member(tmp_path)
    member.previous.write_text(NEW)
    member.wait(3)
    before = member.secrets
    member.secret.unlink() if text is None else member.secret.write_text(text)
    member.wait(PATIENCE_S)
    assert not events(logs, STAY), "somebody may still be writing"
    member.wait(20 * PATIENCE_S)
    assert member.secrets == before
    (told,) = events(logs, STAY)
    assert why in told["why"]
    assert told["log_level"] == "warning"
    member.secret.write_text(OLD)
    member.wait(3)
    assert logs[-1]["event"] == "the files of the secrets can be used again"


def test_a_file_that_could_not_be_read_is_tried_again_without_another_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = Member(tmp_path)
    member.secret.write_text(NEW)
    with monkeypatch.context() as broken:
        broken.setattr(Path, "read_text", lambda *_: (_ for _ in ()).throw(OSError("too many open files")))
        member.wait(3)
    assert member.secrets == prints(OLD)
    member.wait(1)
    assert member.secrets == prints(NEW)


def test_sighup_reads_at_once_and_is_answered_in_any_case(tmp_path: Path, logs: list[dict[str, Any]]) -> None:
    member = Member(tmp_path)
    member.watch.on_hangup()
    assert logs[-1]["event"].startswith("SIGHUP: the files of the secrets have not changed")
    member.secret.write_text(NEW)
    member.watch.on_hangup()
    assert member.secrets == prints(NEW)
    assert (logs[-1]["event"], logs[-1]["cause"]) == (CHANGED, "SIGHUP")
    member.secret.write_text("short")
    for _ in range(2):
        member.watch.on_hangup()
        assert (logs[-1]["event"], logs[-1]["cause"]) == (STAY, "SIGHUP")
    assert len(logs) == 4


def test_sighup_without_files_says_that_it_changes_nothing(tmp_path: Path, logs: list[dict[str, Any]]) -> None:
    SecretWatch(EngineConfig(secret=OLD)).on_hangup()
    assert [log["event"] for log in logs] == [
        "SIGHUP changes nothing: no secret is in a file; settings are read at the start"
    ]


def test_a_setting_hides_its_file(tmp_path: Path) -> None:
    member = Member(tmp_path, secret=OLD)
    member.secret.write_text(NEW)
    member.wait(3)
    assert member.secrets == prints(OLD)


def test_keys_that_would_move_are_told_at_the_start_and_at_the_change(
    tmp_path: Path, logs: list[dict[str, Any]]
) -> None:
    member = Member(tmp_path, hash_secret="")
    assert not logs
    member.previous.write_text(NEW)
    member.wait(3)
    assert [log["event"] for log in logs] == [CHANGED], "what signs has not changed"
    member.secret.write_text(NEW)
    member.previous.write_text(OLD)
    member.wait(3)
    assert "engine.hash_secret is not set" in logs[-1]["event"]
    assert "from before the first change" in logs[-1]["remedy"]
    del logs[:]
    SecretWatch(EngineConfig(secret=NEW, previous_secret=OLD))
    assert ["engine.hash_secret is not set" in log["event"] for log in logs] == [True]
    del logs[:]
    SecretWatch(EngineConfig(secret=NEW, previous_secret=OLD, hash_secret_file=str(member.secret)))
    assert not logs


@pytest.mark.parametrize(
    ("previous", "said"), [(OLD, "is the same as"), ("short", r"engine\.previous_secret has 5 characters")]
)
def test_a_previous_secret_that_will_not_do_is_refused_at_the_start(previous: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        SecretWatch(EngineConfig(secret=OLD, previous_secret=previous))
