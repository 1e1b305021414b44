"""The rules of the house that a program can check (files, functions, names, tables)."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ringway.protocol import close, errorcode

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "ringway"
FILES = sorted(path for folder in ("src", "tests", "bench") for path in (ROOT / folder).rglob("*.py"))
SHIPPED = sorted(SOURCE.rglob("*.py"))

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
BANNED = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base"}


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_no_file_has_a_name_that_says_nothing(path: Path) -> None:
    assert path.stem.removeprefix("test_") not in BANNED
    assert path.parent.name not in BANNED


@pytest.mark.parametrize("path", SHIPPED, ids=relative)
def test_files_hold_one_idea(path: Path) -> None:
    lines = path.read_text().count("\n")
    assert lines <= FILE_LINES_MAX, f"{lines} lines: look for the second idea in it"


@pytest.mark.parametrize("path", SHIPPED, ids=relative)
def test_functions_fit_on_a_screen(path: Path) -> None:
    for function in functions(ast.parse(path.read_text())):
        assert function.end_lineno is not None
        lines = function.end_lineno - function.lineno + 1
        assert lines <= FUNCTION_LINES_MAX, f"{function.name} has {lines} lines"


@pytest.mark.parametrize("path", [path for path in SHIPPED if path.name == "__init__.py"], ids=relative)
def test_packages_only_hand_names_on(path: Path) -> None:
    """No logic in `__init__`: names, tables of names, and the function that loads one when it is used."""
    for node in ast.parse(path.read_text()).body:
        assert not isinstance(node, ast.ClassDef | ast.For | ast.While | ast.With | ast.Try)
        if isinstance(node, ast.FunctionDef):
            assert (relative(path.parent), node.name) in LOOKUPS


LOOKUPS = {("src/ringway", "__getattr__")}


@pytest.mark.parametrize("path", SHIPPED, ids=relative)
def test_every_file_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


@pytest.mark.parametrize("path", SHIPPED, ids=relative)
def test_nothing_is_left_undone(path: Path) -> None:
    source = path.read_text()
    assert not re.search(r"\b(TODO|FIXME|XXX|HACK)\b", source)
    swallowed = r"except(\s+(Base)?Exception)?( as \w+)?:\s*(#[^\n]*)?\n\s*(pass|\.\.\.)\s"
    assert not re.search(swallowed, source)


def constants(module: object) -> dict[str, int]:
    return {name: value for name, value in vars(module).items() if name.isupper() and isinstance(value, int)}


def test_every_close_code_is_in_its_table() -> None:
    named = constants(close)
    del named["REASON_BYTES_MAX"]
    assert named.pop("ABNORMAL") not in close.CODES  # never sent
    assert set(named.values()) <= set(close.CODES)
    assert len(set(named.values())) == len(named)


def test_every_error_code_is_in_its_table() -> None:
    named = constants(errorcode)
    assert set(named.values()) == set(errorcode.CODES)
    for code, (message, temporary) in errorcode.CODES.items():
        error = errorcode.command_error(code, "why")
        assert (error.code, error.temporary) == (code, temporary)
        assert str(error) == f"{code}: {message}: why"


CONNECTING = {"create_connection", "open_connection", "getaddrinfo", "gethostbyname", "sock_connect", "create_server"}
OWN_SERVER = "src/ringway/engine/nats/embedded.py"  # looks whether the server that it has started on loopback listens


@pytest.mark.parametrize("path", SHIPPED, ids=relative)
def test_names_are_looked_up_and_connections_made_in_one_room(path: Path) -> None:
    """`net/`: there a name that nobody answers delays no other, and each address has its time."""
    if path.is_relative_to(SOURCE / "net") or path.is_relative_to(SOURCE / "testing") or relative(path) == OWN_SERVER:
        return
    called = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
    assert not called & CONNECTING, f"{called & CONNECTING}: use ringway.net"


def named_in_the_map() -> list[str]:
    """Each file and room that ARCHITECTURE.md names, once."""
    text = (ROOT / "ARCHITECTURE.md").read_text()
    return sorted(set(re.findall(r"`((?:[a-z_]+/)+(?:[a-z_]+\.py)?)`", text)))


@pytest.mark.parametrize("name", named_in_the_map())
def test_the_map_names_what_is_there(name: str) -> None:
    assert any((room / name).exists() for room in (SOURCE, ROOT)), f"ARCHITECTURE.md names {name}"
