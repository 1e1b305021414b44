"""The reference pages of settings, metrics and codes, made from the fields and tables that define them.

`python -m ringway.cli.reference` writes them to docs/reference/.
"""

from collections.abc import Iterable

from ringway.admin.metric import Metric
from ringway.app.backend_metric import REGISTRATION, SOURCES
from ringway.app.collect_metric import COLLECT, COLLECTED
from ringway.app.config import SECTIONS, all_fields
from ringway.app.field import Field, fields_of, show_value
from ringway.app.hook_metric import HOOKS
from ringway.app.metric import BALANCE, BALANCER, EVERY_PROCESS, GATEWAY, NODE, VIEW
from ringway.app.outbox_metric import OUTBOX
from ringway.app.server_api_metric import SERVER_API
from ringway.hooks.options import HookOptions
from ringway.node.config.channel_options import ChannelOptions
from ringway.protocol import close, closing, errorcode

MADE = "<!-- Made by `python -m ringway.cli.reference`; change the source and run that again. -->\n"

_CONFIGURATION = """\
# Configuration

{made}
Every setting can be given in four ways; a later way overrides an earlier one:

1. its default, as in the tables below;
2. a TOML file: `--config FILE`, or `RINGWAY_CONFIG`. Each section below is a table: `[gateway]`, then `port = 8000`;
3. the environment: `RINGWAY_<SECTION>_<SETTING>`, such as `RINGWAY_GATEWAY_PORT=8000`. Lists are separated by spaces.
   An empty variable sets nothing. Variables that Kubernetes makes for its Services are ignored
   ([more](../howto/run-processes.md#kubernetes));
4. flags of `ringway gateway`, `ringway node` and `ringway up`: the setting with dashes, such as `--ping-interval-s`.
   Settings of other sections begin with the section's name: `ringway gateway --log-level debug`.

`ringway config show --origin` prints the effective values, and the source of each. All problems are reported at once,
with exit code 2; `ringway config check` looks for them without a start. Two settings of one source that say the same,
such as `secret` and `secret_file`, count as problems, and so do settings that contradict each other. An engine and
backends go together. Commands on the machine where `ringway up` runs find engine and secret in its state directory:
`--state`, `RINGWAY_STATE_DIR`, otherwise `$XDG_STATE_HOME/ringway` or `~/.local/state/ringway`.
"""

_NAMESPACES = """
### Options of a namespace

The options of each namespace, with their defaults; see [Namespaces and recovery](../howto/channel-history.md).

| option | default | what it does |
|---|---|---|"""

_HOOKS = """
### Options of a hook

The options of each hook, with their defaults; see [Hooks](../howto/hooks.md).

| option | default | what it does |
|---|---|---|"""

_METRICS = """\
# Metrics

{made}
Every gateway and every node answers `GET /metrics` on its admin port in Prometheus's text format; `ringway nodes`
lists the admin ports of gateways, `ringway nodes --json` the admin ports of nodes. In addition to the metrics below
there are the usual metrics of a process (`process_*`). Metrics cost nothing between scrapes: a scrape reads plain
counters.
"""

_CODES = """\
# Close codes and error codes

{made}
A close code ends a connection. Its range tells old clients how to treat new codes: after 3000 to 3499 and 4000 to 4499
they reconnect with backoff; 3500 to 3999 and 4500 to 4999 are final; below 3000 the transport was lost. A gateway
passes the codes of backends on unchanged. An error code refuses one command, and the connection continues.

*What the client does*: `backoff`: reconnect after a growing, jittered pause. `elsewhere`: reconnect through the
gateway, or connect to the node that the reason names ([PROTOCOL.md](../../PROTOCOL.md), P-7). `never`: a person must
act first.
"""

_ENDINGS = """## How a WebSocket ends

One connection, as the end that reads it sees it. Each column is a state, each row an event. A cell gives the action,
and the state after it. Gateways, nodes and clients follow this table (`src/ringway/protocol/closing.py` defines the
words).
"""


def configuration() -> str:
    """Return docs/reference/configuration.md."""
    lines = [_CONFIGURATION.format(made=MADE)]
    for section, struct in SECTIONS.items():
        about = (struct.__doc__ or "").strip().splitlines()[0]
        lines += [f"## {section}\n", f"{about}\n", "| setting | default | what it does |", "|---|---|---|"]
        fields = [field for field in all_fields().values() if field.section == section]
        lines += _rows(fields)
        if section == "node":
            lines += [_NAMESPACES, *_rows(fields_of("namespaces", ChannelOptions))]
            lines += [_HOOKS, *_rows(fields_of("hooks", HookOptions))]
        lines.append("")
    return "\n".join(lines)


def metrics() -> str:
    """Return docs/reference/metrics.md."""
    lines = [_METRICS.format(made=MADE)]
    groups = (
        ("Every process", EVERY_PROCESS),
        ("Gateways", (*GATEWAY.values(), *VIEW)),
        ("Gateways with backends", (*SOURCES, *REGISTRATION.values())),
        ("Gateways with custom load", (*COLLECT.values(), *COLLECTED)),
        ("The balancer, which runs in gateways", (*BALANCER.values(), *BALANCE.values())),
        ("Nodes", NODE.values()),
        ("Nodes with a server API", SERVER_API),
        ("Nodes with hooks", HOOKS),
        ("Nodes with an outbox", OUTBOX),
    )
    for title, group in groups:
        lines += [f"## {title}\n", "| metric | type | labels | what it says |", "|---|---|---|---|"]
        lines += [_metric_row(metric) for metric in group]
        lines.append("")
    return "\n".join(lines)


def codes() -> str:
    """Return docs/reference/close-codes.md."""
    lines = [_CODES.format(made=MADE), "## Close codes\n"]
    lines += ["| code | name | what the client does | who sends it | what it says |", "|---|---|---|---|---|"]
    rows = close.CODES.values()
    lines += [f"| {row.code} | {row.name} | {row.retry.value} | {row.sender} | {_cell(row.meaning)} |" for row in rows]
    lines += ["\n## Error codes\n", "| code | message | temporary: the client may try again |", "|---|---|---|"]
    errors = errorcode.CODES.items()
    lines += [f"| {code} | {message} | {'yes' if temporary else 'no'} |" for code, (message, temporary) in errors]
    lines += [
        "\nError 100 comes without `temporary` if the engine was lost before it confirmed a publication, and if a call "
        "(RPC) failed or was late. Codes 400 to 1999 are those of your own functions and hooks.",
        "",
    ]
    return "\n".join([*lines, *_endings()])


def _endings() -> list[str]:
    """Return the table of a WebSocket's end, a row for each event and a column for each state."""
    states = [state.name for state in closing.ClosingState]
    lines = [_ENDINGS, f"| | {' | '.join(states)} |", "|---" * (1 + len(states)) + "|"]
    for event in closing.ClosingEvent:
        steps = [closing.TABLE.get((state, event)) for state in closing.ClosingState]
        cells = [f"{step[0].name.lower()} → {step[1].name}" if step else "" for step in steps]
        lines.append(f"| {event.name.lower()} | {' | '.join(cells)} |")
    return [*lines, ""]


def _rows(fields: Iterable[Field]) -> list[str]:
    return [f"| `{field.name}` | {_default(field)} | {_cell(_described(field))} |" for field in fields]


def _default(field: Field) -> str:
    value = show_value(field.default)
    return "none" if value == "(none)" else f"`{value}`"


def _described(field: Field) -> str:
    rule = field.rule
    return field.description if rule in ("a text", "a list of texts") else f"{field.description} ({rule})"


def _metric_row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.kind} | {labels} | {_cell(metric.help)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
