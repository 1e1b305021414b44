"""Where the `ringway` command begins: with a clear line where only the client is installed."""

import sys


def main() -> None:
    """Run the command line, and exit; with 2 where the server's parts are not installed."""
    try:
        from ringway.cli.main import main as run
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("ringway"):
            raise
        sys.stderr.write(
            f"ringway: the command line needs the server's parts ({error.name} is missing); "
            "install them: pip install 'ringway[server]'\n"
        )
        sys.exit(2)
    except KeyboardInterrupt:  # while all that was still being loaded
        sys.exit(130)
    run()
