"""The file of backends on a real disk: what is taken over, what changes nothing, and what is told."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ringway.errors import ConfigError
from ringway.sources import backend_file
from ringway.sources.backend_file import FileSource, read_backends_file
from ringway.sources.sink import Offer
from ringway.types import NodeName
from support.backend_sink import PATIENCE_S, RecordingSink, running
from support.log_capture import capture_logs


def document(*names: str) -> str:
    return "".join(f'[[backend]]\nname = "{name}"\nurl = "ws://127.0.0.1:{9000 + n}"\n' for n, name in enumerate(names))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "backends.toml"
    file.write_text(document("a", "b"))
    return file


@pytest.fixture
def logs() -> Iterator[list[dict[str, Any]]]:
    with capture_logs() as events:
        yield events


@asynccontextmanager
async def following(path: Path, sink: RecordingSink) -> AsyncIterator[FileSource]:
    source = FileSource(str(path), sink)
    async with running(source):
        yield source


async def eventually(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not true():
            await asyncio.sleep(0.02)


def replace(path: Path, text: str) -> None:
    """Put `text` in the place of the file at once, as careful writers do."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.rename(path)


async def test_changes_are_taken_over_and_draining_is_passed_on(path: Path, logs: list[dict[str, Any]]) -> None:
    sink = RecordingSink()
    async with following(path, sink):
        assert sink.names == {"a", "b"}
        replace(path, document("b", "c") + "draining = true\nwithin_s = 5\n")
        await sink.until(lambda: sink.names == {"b", "c"})
        offer = sink.offers[f"file {path}"]["c"]  # type: ignore[index]
        assert (offer.draining, offer.within_s) == (True, 5.0)
    (log,) = logs
    assert (log["added"], log["left_out"], log["described_anew"]) == ("c", "a", "b")
    assert sink.said == []


async def test_a_symbolic_link_that_points_elsewhere_is_a_change(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "mounted.toml"
    link.symlink_to(path)
    sink = RecordingSink()
    async with following(link, sink):
        (tmp_path / "other.toml").write_text(document("z"))
        (tmp_path / "next.toml").symlink_to("other.toml")
        os.rename(tmp_path / "next.toml", link)
        await sink.until(lambda: sink.names == {"z"})


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ("[[backend", "it is not TOML"),
        ("", "it has no list"),
        (document("a", "a"), "backend 2: two backends are named 'a'"),
        (document("a") + "wight = 2\n", "backend 1 ('a'): there is no field 'wight'; did you mean 'weight'?"),
        ("x" * (backend_file.BYTES_MAX + 1), "it has more than"),
    ],
    ids=["syntax", "empty", "two of one name", "unknown field", "too long"],
)
async def test_a_wrong_file_changes_nothing_and_is_told_once_until_it_is_right(
    path: Path, logs: list[dict[str, Any]], broken: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = RecordingSink()
    reads: list[str] = []

    def read(path: str) -> dict[NodeName, Offer]:
        reads.append(path)
        return read_backends_file(path)

    monkeypatch.setattr(backend_file, "read_backends_file", read)
    async with following(path, sink) as source:
        replace(path, broken)
        await sink.until(lambda: source.name in sink.problems)
        assert says in sink.problems[source.name]
        assert str(path) in sink.problems[source.name]
        count = len(reads)
        replace(path, broken)  # a change, and the same problem
        await eventually(lambda: len(reads) > count)
        replace(path, document("a", "b", "c"))
        await sink.until(lambda: len(sink.names) == 3)
        assert sink.problems == {}
    assert [log["log_level"] for log in logs] == ["error", "info", "info"]
    assert len(sink.said) == 2
    assert sink.updates == 2


async def test_a_file_that_is_gone_for_a_while_drains_nobody(path: Path) -> None:
    sink = RecordingSink()
    async with following(path, sink) as source:
        text = path.read_text()
        path.unlink()
        await sink.until(lambda: "it cannot be read (No such file" in sink.problems.get(source.name, ""))
        path.write_text(text)
        await sink.until(lambda: not sink.problems)
        assert sink.names == {"a", "b"}
        assert sink.updates == 1


async def test_bytes_that_are_no_utf8_and_a_folder_are_named(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_bytes(b'{"backends": [{"url": "ws://h\xff"}]}')
    (tmp_path / "d.json").mkdir()
    with pytest.raises(ConfigError, match=r"b\.json: it is not UTF-8 \(byte 29\)"):
        read_backends_file(str(tmp_path / "b.json"))
    with pytest.raises(ConfigError, match=r"d\.json: it is no file"):
        read_backends_file(str(tmp_path / "d.json"))
    with pytest.raises(ConfigError, match="cannot be read"):
        read_backends_file("a\0b.json")


async def test_a_hangup_has_the_file_read_at_once_and_tells_again_what_is_wrong(
    path: Path, logs: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend_file, "POLL_S", 1000.0)
    sink = RecordingSink()
    async with following(path, sink) as source:
        for text, true in (
            (document("a"), lambda: sink.names == {"a"}),
            ("wrong", lambda: len(sink.said) == 1),
            ("wrong", lambda: len(sink.said) == 2),
            (document("a"), lambda: len(sink.said) == 3),
        ):
            replace(path, text)
            source.on_hangup()
            await sink.until(true)
    assert sink.said[0] == sink.said[1] != sink.said[2] == ""
    assert "lists what it has listed before" in logs[-1]["event"]


async def test_an_unusable_file_at_the_start_is_an_error(path: Path) -> None:
    path.write_text("[[backend]]\nurl = 1\n[[backend]]\nurl = 2\n")
    with pytest.raises(ConfigError) as caught:
        FileSource(str(path), RecordingSink())
    assert len(caught.value.problems) == 2
