"""`ringway simulate`: a cluster of any size, in virtual time."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from ringway.cli.command import Argument, Option, Parameter, with_parameters
from ringway.cli.counted import counted
from ringway.cli.option import AsJson, ConfigFile, StateDir
from ringway.cli.terminal import say_json, tell
from ringway.errors import ConfigError
from ringway.sim.scenario import SCENARIOS, Scenario, make_scenario, read_file

if TYPE_CHECKING:
    from ringway.sim.placement import KeySpread
    from ringway.sim.summary import Summary

PLACEMENT = "placement"
DEFAULT_SCENARIO = "scale-out"

Progress = Callable[[float], None]


def takes_scenario(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the fields of `Scenario` as options; it receives the given values as `given`."""
    described = {}
    for field in msgspec.inspect.type_info(Scenario).fields:  # type: ignore[attr-defined]
        about = field.type
        if isinstance(about, msgspec.inspect.Metadata) and about.extra and "panel" in about.extra:
            described[field.name] = (about, field.default)

    def read(given: dict[str, Any]) -> dict[str, Any]:
        return {name: _read_option(name, value) for name, value in given.items() if value is not None}

    derived = {name: _parameter(name, about, default) for name, (about, default) in described.items()}
    return with_parameters(command, "given", derived, read)


def _parameter(name: str, about: msgspec.inspect.Metadata, default: Any) -> Parameter:
    extra, schema = about.extra or {}, about.extra_json_schema or {}
    listed = isinstance(default, tuple)
    shown = ",".join(f"{part:g}" if isinstance(part, float) else part for part in default) if listed else f"{default:g}"
    option = Option(
        f"--{name.replace('_', '-')}",
        help=f"{schema.get('description', '')}" + (f" (default: {shown})" if shown else ""),
        panel=extra["panel"],
        metavar="LIST" if listed else "NUMBER",
        show_default=False,
    )
    return Parameter(name, str | None, option, None)


def _read_option(name: str, text: str) -> Any:
    """Return the value of `text`, unchecked: the scenario checks its bounds."""
    words = text.split(",") if name in ("weights", "zones") else [text]
    if name != "zones":
        words = [_number(f"--{name.replace('_', '-')}", word) for word in words]  # type: ignore[misc]
    return words if name in ("weights", "zones") else words[0]


def _number(flag: str, text: str) -> float | int:
    try:
        number = float(text)
    except ValueError:
        raise ConfigError(f"{flag} {text}: give a number") from None
    return int(number) if number.is_integer() else number


DrainOption = Annotated[
    list[str] | None, Option("--drain", metavar="NODE", help="With --from-cluster: a node to drain; repeatable.")
]
GroupOption = Annotated[
    str, Option("--group", metavar="NAME", help="With --from-cluster: the group to simulate, if there are several.")
]


@takes_scenario
def simulate(
    given: dict[str, Any],
    what: Annotated[
        str,
        Argument(
            metavar="SCENARIO",
            help=f"{', '.join(name for name in SCENARIOS if name != 'script')}; a TOML file; or placement, "
            "for keys alone.",
        ),
    ] = DEFAULT_SCENARIO,
    policy: Annotated[
        list[str] | None, Option("--policy", metavar="POLICY", help="A policy to compare; repeatable.")
    ] = None,
    baseline: Annotated[
        list[str] | None,
        Option(
            "--baseline",
            metavar="WAY",
            help="To compare: a way without directed moves, modulo, reconnect-all, restart-all, shed; or all.",
        ),
    ] = None,
    pace: Annotated[
        list[float] | None,
        Option(
            "--moves-per-s", metavar="NUMBER", help="Bound of moves a second; repeatable: each policy runs with each."
        ),
    ] = None,
    balance: Annotated[
        list[str] | None,
        Option("--balance", metavar="NAME=VALUE", help="A setting of the balancer, such as stop_below=0."),
    ] = None,
    keys: Annotated[
        str, Option("--keys", metavar="NUMBER", help="For placement: number of keys, such as 1e8.")
    ] = "1e7",
    html: Annotated[
        str | None, Option("--html", metavar="FILE", help="Write a page with pictures, in one file.")
    ] = None,
    as_json: AsJson = False,
    from_cluster: Annotated[
        bool, Option("--from-cluster", help="Begin with the running system: what if --add, --drain, --policy?")
    ] = False,
    group: GroupOption = "",
    drain: DrainOption = None,
    config_file: ConfigFile = None,
    state: StateDir = None,
) -> None:
    """Simulate a cluster with the product's own placement and balancer, in virtual time, and compare.

    Without options: 100,000 connections on 10 nodes, and an eleventh node joins. The table shows the results; --html
    writes a page with pictures. `--baseline all` adds the costs without directed moves.
    """
    asked = Asked(policy or [], baseline or [], pace or [], balance or [], html, as_json)
    if drain and not from_cluster:
        raise ConfigError("--drain needs --from-cluster; otherwise take the scenario scale-in, or a file with events")
    if (config_file or state) and not from_cluster:
        raise ConfigError("--config and --state say with what --from-cluster begins; give that as well")
    if from_cluster and what != DEFAULT_SCENARIO:
        raise ConfigError(f"--from-cluster begins with the running system, not with {what}; give one of them")
    if what == PLACEMENT and (pace or balance):
        raise ConfigError("placement moves nobody: leave --moves-per-s and --balance out")
    if what == PLACEMENT:
        _placement(asked, given, keys)
    elif from_cluster:
        from ringway.cli.whatif import scenario_of_cluster

        _compare(asked, scenario_of_cluster(given, drain or [], group, config_file, state), what_if=True)
    else:
        _compare(asked, _values(what, given))


class Asked(msgspec.Struct, frozen=True):
    """The contenders of a comparison, and the form of the output."""

    policies: list[str]
    baselines: list[str]
    paces: list[float]
    balance: list[str]
    html: str | None
    as_json: bool


def _values(what: str, given: dict[str, Any]) -> dict[str, Any]:
    if what.endswith(".toml"):
        return {**read_file(what), **given}
    return {"scenario": what, **_DEFAULTS.get(what, {}), **given}


_DEFAULTS: dict[str, dict[str, Any]] = {
    "hot-rooms": {"rooms": 2000},
    "heterogeneous": {"weights": [1, 2, 4]},
    "rolling-restart": {"mean_life_s": 1800},
    "quiet": {"mean_life_s": 600, "seconds": 600},
    "partition": {"mean_life_s": 600},
}
"""The defaults of a scenario, in addition to its events."""


def _compare(asked: Asked, values: dict[str, Any], *, what_if: bool = False) -> None:
    from ringway.app.score_function import load_score_function
    from ringway.sim.classes import has_classes
    from ringway.sim.contender import BASELINES, make_contenders
    from ringway.sim.run import simulate as run
    from ringway.sim.story import what_if_headline, what_if_note

    settings = dict(setting.partition("=")[::2] for setting in asked.balance)
    values = {**values, "balance": {**values.get("balance", {}), **_read(settings)}}
    scenario = make_scenario(values)
    baselines = list(BASELINES) if asked.baselines == ["all"] else asked.baselines
    policies = asked.policies or [scenario.policy_before or ("rendezvous" if scenario.rooms else "two-choices")]
    summaries = []
    contenders = make_contenders(policies, baselines, asked.paces, scenario.balance, load_score_function)
    for contender in contenders:
        has_classes(scenario, contender)  # too many clients are refused before the first run
    for contender in contenders:
        with _progress(contender.name, asked, scenario.seconds or None) as progress:
            summaries.append(run(scenario, contender, progress))
    title = note = ""
    if what_if:
        title = what_if_headline(scenario)
        note = what_if_note([each.name for each in contenders if each.make_policy().table])
    if asked.as_json:
        say_json([_without_course(summary) for summary in summaries])
    else:
        _show(scenario, summaries, title, note)
    if asked.html is not None:
        from ringway.sim.page import page

        _write(asked.html, page(scenario, summaries, title, note))


def _show(scenario: "Scenario", summaries: "list[Summary]", title: str, note: str) -> None:
    from rich.table import Table

    from ringway.cli.table import make_console
    from ringway.sim.story import COLUMNS, headline, row, sentences

    console = make_console()
    console.print(title or headline(scenario), markup=False)
    for sentence in sentences(summaries):
        console.print(f"- {sentence[0].upper()}{sentence[1:]}", soft_wrap=True, markup=False)
    console.print()
    table = Table(box=None, pad_edge=False, header_style="dim")
    for index, (name, _) in enumerate(COLUMNS):
        table.add_column(name, justify="right" if index else "left")
    for summary in summaries:
        table.add_row(*row(summary))
    console.print(table)
    if note:
        console.print(f"\n{note}", soft_wrap=True, markup=False)


def _placement(asked: Asked, given: dict[str, Any], keys: str) -> None:
    from ringway.app.score_function import load_score_function
    from ringway.sim.placement import place_keys
    from ringway.types import NodeName

    count = _number("--keys", keys)
    if not 1 <= count <= 1e10 or asked.html:
        raise ConfigError("placement takes --keys from 1 to 1e10, and writes no page; leave --html out")
    scenario = make_scenario(given)
    parts = scenario.weights
    weights = {NodeName(f"node-{number + 1}"): parts[number % len(parts)] for number in range(scenario.nodes)}
    specs = [*(asked.policies or ["rendezvous"]), *asked.baselines]
    answers = []
    for spec in specs:
        with _progress(spec, asked, 1.0) as progress:
            answers.append(place_keys(spec, int(count), weights, scenario.seed, progress, load_score_function))
    if asked.as_json:
        say_json(answers)
    else:
        _show_placement(answers)


def _show_placement(answers: "list[KeySpread]") -> None:
    from rich.table import Table

    from ringway.cli.table import make_console

    console = make_console()
    console.print(
        f"{counted(answers[0].keys, 'key')} on {counted(answers[0].nodes, 'node')}; then one joins, or one leaves.\n"
    )
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("", "fullest", "furthest off", "move on join", "collateral", "move on leave", "collateral", "a key"):
        table.add_column(name, justify="right" if name else "left")
    for answer in answers:
        table.add_row(
            answer.name, f"{answer.max_over_avg:.4f}", f"{answer.worst_error:.2%}",
            *_parts(answer.moved_on_join, answer.least_on_join, answer.collateral_on_join),
            *_parts(answer.moved_on_leave, answer.least_on_leave, answer.collateral_on_leave),
            f"{answer.ns_per_key / 1000:.2f} µs",
        )  # fmt: skip
    console.print(table)
    for answer in answers:
        if answer.sampled:
            console.print(f"\n{answer.name} does not go by key: {answer.asked:,} connections were placed, as a sample.")


def _parts(moved: float | None, least: float, collateral: float | None) -> tuple[str, str]:
    if moved is None or collateral is None:
        return "-", "-"
    return f"{moved:.3%} = {moved / least:.3f} x least", f"{collateral:.3%}" if collateral else "0"


@contextmanager
def _progress(name: str, asked: Asked, total: float | None) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    shown = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[now]}"), TimeElapsedColumn()
    hidden = asked.as_json or not sys.stderr.isatty()
    with Progress(*shown, console=Console(stderr=True), transient=True, disable=hidden) as bars:
        task = bars.add_task(name, total=total, now="")
        unit = "{:.0%}" if total == 1.0 else "{:,.0f} s simulated"
        yield lambda now: bars.update(task, completed=now, now=unit.format(now))


def _without_course(summary: "Summary") -> dict[str, Any]:
    fields = msgspec.to_builtins(summary)
    assert isinstance(fields, dict)
    return {name: value for name, value in fields.items() if name != "course"}


def _read(settings: dict[str, str]) -> dict[str, float]:
    return {name: _number(f"--balance {name}=", text) for name, text in settings.items()}


def _write(path: str, text: str) -> None:
    try:
        Path(path).write_text(text)
    except OSError as error:
        raise ConfigError(f"the page cannot be written to {path}: {error.strerror}; name another file") from None
    tell(f"The page is in {path}")
