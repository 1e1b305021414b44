"""The table of what each client sees: `PYTHONPATH=tests python -m integration.own_servers [--event E] [STACK ...]`.

Three instances of a server stand behind a gateway with an engine, and clients of its own library send messages. Then
the event happens to the instance that serves most of them. The rows are Markdown; each says what the clients saw that
were hit, worst of all. `--docs` writes the table of docs/reference/backend-moves.md instead, for the named stacks.
"""

import argparse
import sys
from collections.abc import Sequence

from integration.own_servers.docs_table import events_of, write_page
from integration.own_servers.record import EVENTS, Row, record, table
from integration.own_servers.stack import STACKS
from integration.own_servers.toolchain import Absent


def main(arguments: Sequence[str]) -> int:
    """Print the table; exit code 1 if a stack could not be run."""
    parser = argparse.ArgumentParser(prog="integration.own_servers", description=__doc__)
    parser.add_argument("stacks", nargs="*", metavar="STACK", help=f"any of {', '.join(STACKS)}; default: all")
    parser.add_argument("--event", choices=EVENTS, action="append", help="default: all events")
    parser.add_argument("--docs", action="store_true", help="write the rows into the page of own servers")
    chosen = parser.parse_args(arguments)
    unknown = [name for name in chosen.stacks if name not in STACKS]
    if unknown:
        parser.error(f"there is no stack {unknown[0]}; there are: {', '.join(STACKS)}")
    problems = 0
    for name in chosen.stacks or STACKS:
        events = chosen.event or (events_of(STACKS[name]) if chosen.docs else list(EVENTS))
        rows: list[Row] = []
        try:
            for row in record(STACKS[name], events):
                sys.stderr.write(f"{name}: {EVENTS[row.event].meaning}, on-move={EVENTS[row.event].on_move}\n")
                rows.append(row)
        except (Absent, RuntimeError, TimeoutError) as problem:
            sys.stderr.write(f"{name}: {problem}\n")
            problems += 1
        sys.stdout.write(f"{table(rows)}\n")
        sys.stdout.flush()
        if chosen.docs and len(rows) == len(events):
            write_page(rows)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
