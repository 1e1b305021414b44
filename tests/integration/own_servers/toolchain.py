"""What servers and clients of the kit are run by: Python, Node.js with npm's packages, and built Go and Java programs.

Programs are built once, outside of the repository: in `RINGWAY_OWN_SERVERS_DIR`, or `ringway/own-servers` in the cache
directory of the user. Where a toolchain is missing, `Absent` says which.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from support.npm import has_node, install_packages

HERE = Path(__file__).parent
APPS = HERE / "apps"
BUILD_S = 300


class Absent(Exception):
    """A toolchain that this machine does not have; says which."""


def find_program(name: str, what: str) -> str:
    """Return the path of a program; raise `Absent` if it is not there."""
    path = shutil.which(name)
    if path is None:
        raise Absent(f"needs {what}: there is no `{name}` on the path")
    return path


@cache
def node() -> str:
    """Return the path of Node.js, with the packages of package-lock.json installed."""
    if not has_node():
        raise Absent("needs Node.js and npm")
    install_packages(HERE)
    return find_program("node", "Node.js")


@cache
def go_echo() -> str:
    """Return the path of the Go server, built if it is new."""
    go = find_program("go", "Go")

    def build(source: Path, made: Path) -> None:
        _run([go, "build", "-o", str(made), "."], source, f"the Go server cannot be built by {go}")

    return str(_built(APPS / "go", "echo", build))


@cache
def spring_echo() -> list[str]:
    """Return the command of the Spring Boot server, built if it is new."""
    java, maven = find_program("java", "Java 17"), find_program("mvn", "Maven")
    options = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx128m"]

    def build(source: Path, made: Path) -> None:
        """Build the jar, and an archive of its loaded classes: with it the server starts in half of the time."""
        command = [maven, "--quiet", "--batch-mode", "package"]
        _run(command, source, f"the Spring Boot server cannot be built by {maven}")
        jar = source / "target" / "spring-echo.jar"
        unpack = [java, "-Djarmode=tools", "-jar", str(jar), "extract", "--destination", str(made)]
        _run(unpack, source, "the jar cannot be unpacked")
        archive = [
            java,
            *options,
            f"-XX:ArchiveClassesAtExit={made / 'classes.jsa'}",
            "-Dspring.context.exit=onRefresh",
        ]
        _run([*archive, "-jar", str(made / jar.name), "--server.port=0"], source, "the server does not start")

    made = _built(APPS / "spring", "echo", build)
    return [java, *options, f"-XX:SharedArchiveFile={made / 'classes.jsa'}", "-jar", str(made / "spring-echo.jar")]


def _built(source: Path, name: str, build: Callable[[Path, Path], None]) -> Path:
    """Return the file or folder `name` that `build` makes of `source`, from the cache if it was built before.

    `build` gets a copy of the source, and the path to make: a program may have its own path in it.
    """
    home = os.environ.get("RINGWAY_OWN_SERVERS_DIR") or Path(
        os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "ringway", "own-servers"
    )
    recipe = [Path(__file__), *sorted(path for path in source.rglob("*") if path.is_file())]
    digest = hashlib.sha256(b"".join(path.name.encode() + path.read_bytes() for path in recipe)).hexdigest()[:12]
    folder = Path(home, f"{source.name}-{digest}")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several workers come at one time
        if not (folder / "done").exists():
            shutil.rmtree(folder / name, ignore_errors=True)  # of a build that was interrupted
            with tempfile.TemporaryDirectory() as work:
                build(shutil.copytree(source, Path(work, "source")), folder / name)
            (folder / "done").touch()
    return folder / name


def _run(command: Sequence[str], folder: Path, problem: str) -> None:
    """Run a command of a build. Raise `Absent` if it fails: most often a module cannot be fetched."""
    environ = {**os.environ, "INSTANCE": "build"}
    try:
        said = subprocess.run(
            command, cwd=folder, env=environ, capture_output=True, text=True, timeout=BUILD_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise Absent(f"{problem} within {BUILD_S} s") from None
    if said.returncode:
        last = (said.stderr.strip() or said.stdout.strip() or "it said nothing").splitlines()[-1]
        raise Absent(f"{problem}: {last}")
