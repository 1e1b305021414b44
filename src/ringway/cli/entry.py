"""The entry of the `ringway` command: the signals that come while Python loads, then the command line."""

import sys

PROCESSES = ("up", "gateway", "node")
"""Commands that the end of a terminal does not end."""


def main() -> None:
    """Run the command line, and exit."""
    try:
        if sys.argv[1:2] and sys.argv[1] in PROCESSES:
            _outlive_hangup()
        from ringway.cli.main import main as run
    except KeyboardInterrupt:  # while it was still being loaded
        sys.exit(130)
    run()


def _outlive_hangup() -> None:
    """Do nothing on SIGHUP, until it is logged (`app.shutdown`); ignored from the start, as by `nohup`, it stays so."""
    import signal

    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, lambda *_: None)
