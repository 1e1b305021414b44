"""Cost of a start: processor time of two commands, memory of an idle node, and the size of an installation.

Processor time is user and system time of the whole command, the best of several rounds: other work on the machine can
only add to it. The table has it beside a bare interpreter, timed in turns. Commands read bytecode, as in an
installation: where the environment forbids to write it (`PYTHONDONTWRITEBYTECODE`), each command would compile the
product anew. The node is one that `ringway up` has
started, with NATS, and has been idle for ten seconds; its memory is the proportional set size (PSS), in which a page
that several processes share counts in parts. The installation is `ringway[server]` in a new virtual environment: its
site-packages; and the same with the extra `auth`. That is an extra of its own because cryptography is as large as
uvloop, and tokens with a secret do not need it.

    scripts/bench startup [--rounds 9]
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.progress import Progress

from report import Claim, Result, parser, publish

ROOT = Path(__file__).parents[1]
RINGWAY = (sys.executable, "-m", "ringway")
BARE = (sys.executable, "-c", "pass")
IDLE_S = 10.0
READY_S = 60.0

VERSION_S, NODES_S, NODE_MIB, INSTALLED_MB, WITH_AUTH_MB = 0.25, 0.5, 40.0, 60.0, 75.0


def installed(environ: Mapping[str, str], directory: Path) -> dict[str, str]:
    """Return `environ` with bytecode that is written to `directory` and read from there."""
    kept = {name: value for name, value in environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPYCACHEPREFIX": str(directory / "bytecode")}


def processor_s(command: Sequence[str], environ: Mapping[str, str]) -> float:
    """User and system time of `command`, which must succeed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=environ, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@contextmanager
def system(environ: Mapping[str, str], state: Path) -> Iterator[int]:
    """Run `ringway up`; yield its process id once commands find it."""
    command = [*RINGWAY, "up", "--port", "0"]
    running = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + READY_S
        while not (state / "up.json").exists():
            if running.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"ringway up is not ready: exit code {running.poll()}")
            time.sleep(0.1)
        yield running.pid
    finally:
        running.terminate()
        running.wait(60)


def node_pss_mib(up: int) -> float:
    """The memory of the first node below the process `up`."""
    for child in Path(f"/proc/{up}/task/{up}/children").read_text().split():
        if b"\0node" in Path(f"/proc/{child}/cmdline").read_bytes():
            lines = Path(f"/proc/{child}/smaps_rollup").read_text().splitlines()
            return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    raise RuntimeError("ringway up runs no node")


def installed_mb(directory: Path, extras: str) -> float:
    """The size of site-packages of a new environment with `ringway[extras]`."""
    uv = Path(sys.executable).with_name("uv")
    environment = directory / f"environment-{extras}"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, environment], check=True)
    into = {**os.environ, "VIRTUAL_ENV": str(environment)}
    subprocess.run([uv, "pip", "install", "--quiet", f"{ROOT}[{extras}]"], env=into, check=True)
    [packages] = environment.glob("lib/python*/site-packages")
    said = subprocess.run(["du", "-sm", packages], capture_output=True, text=True, check=True).stdout
    return float(said.split()[0])


def main() -> None:
    """Run the benchmark."""
    flags = parser("What it costs to start: processor time, memory, and size of the installation.")
    flags.add_argument("--rounds", type=int, default=9, help="rounds of which the best counts")
    arguments = flags.parse_args()
    rounds = 3 if arguments.quick else arguments.rounds
    commands = {
        "bare interpreter": BARE,
        "ringway version": (*RINGWAY, "version"),
        "ringway nodes": (*RINGWAY, "nodes"),
    }
    best = dict.fromkeys(commands, float("inf"))
    result = Result("startup: commands, an idle node, an installation", ["", "measured", "bound"])
    with tempfile.TemporaryDirectory() as directory, Progress(transient=True) as progress:
        state = Path(directory) / "state"
        environ = installed(os.environ, Path(directory)) | {"RINGWAY_STATE_DIR": str(state)}
        bar = progress.add_task("a system", total=rounds + 2)
        with system(environ, state) as up:
            time.sleep(IDLE_S)
            pss = node_pss_mib(up)
            progress.update(bar, advance=1, description="commands")
            for _ in range(rounds):
                for name, command in commands.items():
                    best[name] = min(best[name], processor_s(command, environ))
                progress.advance(bar)
        progress.update(bar, description="an installation")
        size, with_auth = (installed_mb(Path(directory), extras) for extras in ("server", "server,auth"))
    bare = best.pop("bare interpreter")
    result.rows.append(["bare interpreter, CPU s", bare, ""])
    result.rows += [
        [f"{name}, CPU s", best[name], bound] for name, bound in zip(best, (VERSION_S, NODES_S), strict=True)
    ]
    result.rows += [[f"{name}, times the bare interpreter", best[name] / bare, ""] for name in best]
    result.rows += [
        ["idle node, PSS MiB", pss, NODE_MIB],
        ["installed with the extra server, MB", size, INSTALLED_MB],
        ["installed with server and auth, MB", with_auth, WITH_AUTH_MB],
    ]
    result.claims = [
        Claim("ringway version, CPU s", best["ringway version"], at_most=VERSION_S),
        Claim("ringway nodes, CPU s", best["ringway nodes"], at_most=NODES_S),
        Claim("idle node, PSS MiB", pss, at_most=NODE_MIB),
        Claim("installed with the extra server, MB", size, at_most=INSTALLED_MB),
        Claim("installed with server and auth, MB", with_auth, at_most=WITH_AUTH_MB),
    ]
    result.settings = {"rounds": rounds, "idle_s": IDLE_S}
    publish(result, arguments.json)


if __name__ == "__main__":
    main()
