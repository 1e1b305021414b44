from pathlib import Path

import pytest

from ringway.errors import ConfigError
from ringway.gateway import pages
from ringway.gateway.pages import Pages


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_text("<h1>hällo</h1>")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "index.html").write_text("sub")
    (tmp_path / "sub" / "page.js").write_text("1")
    (tmp_path / "data.bin").write_bytes(b"\x00\x01")
    (tmp_path / ".secret").write_text("no")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("no")
    return tmp_path


def test_each_file_has_its_path_and_type(directory: Path) -> None:
    served = Pages(str(directory))
    found = {path: served.get(path, close=False) for path in ("/", "/index.html", "/sub/", "/sub/page.js", "/data.bin")}
    assert all(answer and answer.startswith(b"HTTP/1.1 200 OK\r\n") for answer in found.values())
    index = found["/"]
    assert index == found["/index.html"]
    assert index is not None
    assert b"\r\nContent-Type: text/html; charset=utf-8\r\n" in index
    assert b"\r\nContent-Length: 15\r\n\r\n<h1>h\xc3\xa4llo</h1>" in index
    assert b"\r\nX-Content-Type-Options: nosniff\r\n" in index
    assert b"text/javascript" in (found["/sub/page.js"] or b"")
    assert b"application/octet-stream" in (found["/data.bin"] or b"")


def test_the_last_answer_of_a_connection_says_so(directory: Path) -> None:
    served = Pages(str(directory))
    assert b"\r\nConnection: close\r\n" in (served.get("/", close=True) or b"")
    assert b"Connection" not in (served.get("/", close=False) or b"")


@pytest.mark.parametrize("path", ["/.secret", "/.git/config", "/sub", "/none", "", "/../index.html"])
def test_nothing_else_is_served(directory: Path, path: str) -> None:
    assert Pages(str(directory)).get(path, close=False) is None


def test_without_a_directory_there_is_nothing() -> None:
    assert len(Pages("")) == 0


def test_what_cannot_be_served_is_refused_at_the_start(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="no directory"):
        Pages(str(directory / "none"))
    monkeypatch.setattr(pages, "FILES_MAX", 3)
    with pytest.raises(ConfigError, match="4 files; serve at most 3"):
        Pages(str(directory))
    monkeypatch.setattr(pages, "FILES_MAX", 4)
    monkeypatch.setattr(pages, "BYTES_MAX", 10)
    with pytest.raises(ConfigError, match="more than 0 MiB"):
        Pages(str(directory))
