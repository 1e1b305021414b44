"""The environment in which a start is measured."""

from pathlib import Path

from startup import installed


def test_commands_read_bytecode_also_where_the_environment_forbids_to_write_it(tmp_path: Path) -> None:
    environ = {"PATH": "/bin", "PYTHONDONTWRITEBYTECODE": "1"}
    assert installed(environ, tmp_path) == {"PATH": "/bin", "PYTHONPYCACHEPREFIX": str(tmp_path / "bytecode")}
