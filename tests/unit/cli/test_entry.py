"""The command without the server's parts: one clear line."""

import subprocess
import sys

WITHOUT_TYPER = "import sys; sys.modules['typer'] = None; from ringway.cli import main; main()"


def test_without_the_servers_parts_it_says_what_to_install():
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TYPER], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert "typer is missing" in line
    assert "pip install 'ringway[server]'" in line
