"""The Autobahn test suite, which judges servers (as a fuzzing client) and clients (as a fuzzing server).

It needs Python 2.7: `RINGWAY_PYTHON27` names it, or it is found on the path or at pyenv. The suite itself is installed
once, outside of the repository: in `RINGWAY_AUTOBAHN_DIR`, or `ringway/autobahn` in the cache directory of the user.
Where something of that cannot be had, `Absent` says what. All cases, the long ones too, are run by

    RINGWAY_AUTOBAHN=all pytest tests/integration/autobahn --timeout 3000
"""

import asyncio
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from support.system import free_port

HERE = Path(__file__).parent
INSTALL_S = 300
RUN_S = 110
ALL_S = 2900

WHOLE = os.environ.get("RINGWAY_AUTOBAHN") == "all"
GROUPS = ("1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*")
"""All groups but that of long messages (9), and those of compression (12, 13), which nobody here speaks."""

SHORT = ("9.1.1", "9.2.1", "9.3.9", "9.4.9", "9.5.6", "9.6.6")
"""Of the long ones those that take no time and stand for their kind."""

Verdict = tuple[str, str]
"""How a case went, and how its end: `OK`, `NON-STRICT`, `INFORMATIONAL`, `FAILED` and others."""


class Absent(Exception):
    """The suite cannot be had on this machine; says why."""


def cases() -> list[str]:
    """Return the patterns of the cases to run."""
    return [*GROUPS, "9.*"] if WHOLE else [*GROUPS, *SHORT]


def command() -> list[str]:
    """Return the command `wstest`, installed where it is not there yet. Blocks. Raise `Absent`."""
    python = _python27()
    home = os.environ.get("RINGWAY_AUTOBAHN_DIR") or Path(
        os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "ringway", "autobahn"
    )
    wanted = HERE / "requirements.txt"
    site = Path(home, hashlib.sha256(wanted.read_bytes() + python.encode()).hexdigest()[:12])
    try:
        site.parent.mkdir(parents=True, exist_ok=True)
        with Path(f"{site}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # several workers come at one time
            if not site.exists():
                _install(python, wanted, site)
    except OSError as error:
        raise Absent(f"autobahntestsuite cannot be kept in {site.parent}: {error}") from None
    return [python, str(HERE / "wstest.py"), str(site)]


def _python27() -> str:
    named = os.environ.get("RINGWAY_PYTHON27")
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv", "versions")
    for python in (named, *(str(path) for path in sorted(pyenv.glob("2.7*/bin/python"))), shutil.which("python2.7")):
        if python and shutil.which(python):
            return python
    raise Absent("autobahntestsuite needs Python 2.7, and there is none here; RINGWAY_PYTHON27 names one")


def _install(python: str, wanted: Path, site: Path) -> None:
    made = site.with_suffix(".part")
    shutil.rmtree(made, ignore_errors=True)
    options = (
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--target",
        str(made),
        "--requirement",
        str(wanted),
    )
    try:
        done = subprocess.run(
            [python, "-m", "pip", "install", *options], capture_output=True, text=True, timeout=INSTALL_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise Absent(f"autobahntestsuite was not installed within {INSTALL_S} s") from None
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "pip said nothing").splitlines()[-1]
        raise Absent(f"autobahntestsuite cannot be installed: {last}")
    made.rename(site)


async def judge_servers(
    wstest: Sequence[str], directory: Path, urls: Mapping[str, str]
) -> dict[str, dict[str, Verdict]]:
    """Let fuzzing clients try each server of `urls`, at one time; return by name and case how it went."""
    verdicts = await asyncio.gather(*(_judge(wstest, directory / name, name, url) for name, url in urls.items()))
    return dict(zip(urls, verdicts, strict=True))


async def _judge(wstest: Sequence[str], directory: Path, name: str, url: str) -> dict[str, Verdict]:
    spec = {"servers": [{"agent": name, "url": url}], "cases": cases()}
    process = await _start(wstest, directory, "fuzzingclient", spec)
    try:
        async with asyncio.timeout(ALL_S if WHOLE else RUN_S):
            await process.wait()
    finally:
        await _end(process)
    return read_verdicts(directory, name)


@asynccontextmanager
async def fuzzing_server(wstest: Sequence[str], directory: Path) -> AsyncIterator[str]:
    """Run a fuzzing server; yields its URL. A client asks there for `/getCaseCount`, `/runCase?case=N&agent=A` and
    `/updateReports?agent=A`; then `read_verdicts` says how it went."""
    url = f"ws://127.0.0.1:{free_port()}"
    process = await _start(wstest, directory, "fuzzingserver", {"url": url, "cases": cases()}, "--webport", "0")
    try:
        async with asyncio.timeout(30):
            while not await _listens(url):
                assert process.returncode is None, (directory / "log").read_text()
                await asyncio.sleep(0.05)
        yield url
    finally:
        await _end(process)


async def _listens(url: str) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", int(url.rsplit(":", 1)[1]))
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


def read_verdicts(directory: Path, agent: str) -> dict[str, Verdict]:
    """Return by case how `agent` did, from the reports in `directory`."""
    index = directory / "index.json"
    assert index.exists(), (directory / "log").read_text()[-2000:]
    return {case: (row["behavior"], row["behaviorClose"]) for case, row in json.loads(index.read_text())[agent].items()}


async def _start(
    wstest: Sequence[str], directory: Path, mode: str, spec: Mapping[str, object], *options: str
) -> asyncio.subprocess.Process:
    directory.mkdir(parents=True, exist_ok=True)
    rest = {"outdir": str(directory), "exclude-cases": [], "exclude-agent-cases": {}}
    (directory / "spec.json").write_text(json.dumps({**spec, **rest}))
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    with (directory / "log").open("w") as log:
        return await asyncio.create_subprocess_exec(
            *wstest, "--mode", mode, "--spec", str(directory / "spec.json"), *options,
            cwd=directory, env=environ, stdout=log, stderr=log,
        )  # fmt: skip


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()
