"""The entry of the `ringway` command: signals that come while Python loads, then the command line."""

import sys

PROCESSES = ("up", "gateway", "node", "join")
"""Commands that outlive their terminal."""


def main() -> None:
    """Run the command line, and exit."""
    try:
        if sys.argv[1:2] and sys.argv[1] in PROCESSES:
            _defer_hangup()
        from ringway.cli.main import main as run
    except KeyboardInterrupt:  # while the command line was loading
        sys.exit(130)
    run()


def _defer_hangup() -> None:
    """Block SIGHUP until the process can act on it (`app.shutdown.stop_signals`): a signal that comes earlier acts
    then."""
    import signal

    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
