"""Certificates of a running process: read again when their files change, and told when they expire."""

from pathlib import Path

import pytest

from ringway.app.reread import PATIENCE_S
from ringway.app.tls_watch import TlsWatch
from ringway.net.tls.config import TlsPortConfig
from ringway.net.tls.server import PortTls
from support.authority import Authority
from support.log_capture import capture_logs


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def port(pair: tuple[Path, Path], section: str = "gateway") -> PortTls:
    return PortTls(TlsPortConfig(tls_cert=(str(pair[0]),), tls_key=(str(pair[1]),)), section)


def put(pair: tuple[Path, Path], into: tuple[Path, Path]) -> None:
    for new, old in zip(pair, into, strict=True):
        old.write_bytes(new.read_bytes())


class Process:
    """A process with certificates at two ports, and a clock of its own."""

    def __init__(self, *pairs: tuple[Path, Path]) -> None:
        self.now = 100.0
        self.ports = [port(pair, section) for pair, section in zip(pairs, ("gateway", "admin"), strict=False)]
        self.watch = TlsWatch([*self.ports, None], lambda: self.now)

    def wait(self, seconds: float) -> None:
        for _ in range(round(2 * seconds)):
            self.now += 0.5
            self.watch.check_files()


def test_changed_files_are_read_again(authority: Authority) -> None:
    first, admin = authority.sign("first", "a.example"), authority.sign("admin", "localhost")
    process = Process(first, admin)
    before = process.ports[0].context
    with capture_logs() as logs:
        put(authority.sign("second", "a.example"), first)
        process.wait(3)
    assert [(log["event"], log["cause"]) for log in logs] == [
        ("the certificates have changed", "a change of the files")
    ]
    assert process.ports[0].context is not before
    assert process.watch.problem() == ""


def test_files_that_cannot_be_used_change_nothing_are_told_once_and_are_a_problem(authority: Authority) -> None:
    files = authority.sign("first", "a.example")
    process = Process(files)
    before = process.ports[0].context
    with capture_logs() as logs:
        files[1].write_bytes(authority.sign("other", "a.example")[1].read_bytes())
        process.wait(PATIENCE_S + 5)
    assert process.ports[0].context is before
    [told] = logs
    assert told["event"] == "the last good certificates stay in use"
    assert "does not fit the certificate in" in str(told["why"])
    assert "does not fit" in process.watch.problem()
    put(authority.sign("first again", "a.example"), files)
    process.wait(3)
    assert process.watch.problem() == ""


def test_a_bad_file_of_one_port_does_not_keep_the_other_port_from_its_new_one(authority: Authority) -> None:
    bad, good = authority.sign("bad", "a.example"), authority.sign("good", "b.example")
    process = Process(bad, good)
    before = [each.context for each in process.ports]
    bad[0].write_text("")
    put(authority.sign("better", "b.example"), good)
    process.watch.on_hangup()
    after = [each.context for each in process.ports]
    assert after[0] is before[0]
    assert after[1] is not before[1]


def test_sighup_reads_at_once_and_says_what_came_of_it(authority: Authority) -> None:
    process = Process(authority.sign("first", "a.example"))
    with capture_logs() as logs:
        process.watch.on_hangup()
    assert "the files of the certificates have not changed" in str(logs[0]["event"])


def test_without_certificates_there_is_nothing_to_read() -> None:
    watch = TlsWatch([None, None])
    assert not watch.in_files
    watch.on_hangup()
    assert watch.problem() == ""
