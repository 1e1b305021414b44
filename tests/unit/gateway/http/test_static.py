import os
from pathlib import Path

import pytest

from ringway.errors import ConfigError
from ringway.gateway.http import static as pages
from ringway.gateway.http.static import StaticFiles


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
    served = StaticFiles(str(directory))
    found = {
        path: served.response_to(path, close=False)
        for path in ("/", "/index.html", "/sub/", "/sub/page.js", "/data.bin")
    }
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
    served = StaticFiles(str(directory))
    assert b"\r\nConnection: close\r\n" in (served.response_to("/", close=True) or b"")
    assert b"Connection" not in (served.response_to("/", close=False) or b"")


@pytest.mark.parametrize(
    "path",
    [
        "/.secret",
        "/.git/config",
        "/sub",
        "/none",
        "",
        "/../index.html",
        "/sub/../index.html",
        "/%2e%2e/index.html",
        "/%2Esecret",
        "/sub%2f..%2findex.html",
        "//index.html",
        "/index.html%00",
        "/sub/%2e%2e/%2e%2e/etc/passwd",
        "/./index.html",
        "/sub\\page.js",
        "/%",
        "/%zz",
    ],
)
def test_nothing_else_is_served(directory: Path, path: str) -> None:
    assert StaticFiles(str(directory)).response_to(path, close=False) is None


def test_links_lead_nowhere_else(directory: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "key.pem").write_text("secret")
    (directory / "key.pem").symlink_to(outside / "key.pem")
    (directory / "up.pem").symlink_to(Path("..") / outside.name / "key.pem")
    (directory / "chain.pem").symlink_to("key.pem")
    (directory / "away").symlink_to(outside)
    (directory / "hidden.txt").symlink_to(".secret")
    (directory / "git.txt").symlink_to(".git/config")
    (directory / "loop").symlink_to("loop")
    (directory / "nothing").symlink_to("none")
    (directory / "inside.js").symlink_to("sub/page.js")
    (directory / "twin").symlink_to("sub")
    os.mkfifo(directory / "fifo")
    served = StaticFiles(str(directory))
    for path in ("/key.pem", "/up.pem", "/chain.pem", "/away/key.pem", "/hidden.txt", "/git.txt", "/loop", "/nothing",
                 "/fifo", "/away", "/away/"):  # fmt: skip
        assert served.response_to(path, close=False) is None, path
    assert (served.response_to("/inside.js", close=False) or b"").endswith(b"\r\n\r\n1")


def test_a_directory_may_be_a_link_itself(directory: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    link = tmp_path_factory.mktemp("links") / "current"
    link.symlink_to(directory)
    assert StaticFiles(str(link)).response_to("/index.html", close=False)


def test_names_are_found_however_they_are_encoded(directory: Path) -> None:
    (directory / "a b.html").write_text("spaced")
    (directory / "\u00fc.html").write_text("umlaut")
    served = StaticFiles(str(directory))
    for path in ("/a%20b.html", "/%61%20b.html", "/%C3%BC.html", "/%c3%bc.html", "/\u00c3\u00bc.html", "/%69ndex.html"):
        assert served.response_to(path, close=False), path


def test_without_a_directory_there_is_nothing() -> None:
    assert len(StaticFiles("")) == 0


def test_what_cannot_be_served_is_refused_at_the_start(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="no directory"):
        StaticFiles(str(directory / "none"))
    monkeypatch.setattr(pages, "FILES_MAX", 3)
    with pytest.raises(ConfigError, match="4 files; serve at most 3"):
        StaticFiles(str(directory))
    monkeypatch.setattr(pages, "FILES_MAX", 4)
    monkeypatch.setattr(pages, "BYTES_MAX", 10)
    with pytest.raises(ConfigError, match="more than 0 MiB"):
        StaticFiles(str(directory))
