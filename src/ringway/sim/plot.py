"""Pictures of runs, as SVG: the only file that loads matplotlib.

Text and axes take the colour of the text around them, so that a picture can be read on a light page and on a dark one.
With many nodes, nodes without events are drawn as a band from the emptiest to the fullest with the median in it. Nodes
that joined or left are lines of their own.
"""

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ringway.errors import ConfigError
from ringway.sim.contender import BASELINES
from ringway.sim.story import label
from ringway.sim.summary import Course, Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK = "#010203"  # is replaced by the page's own colour of text
FAINT = "#040506"  # the same, faint
OLD = "#64748b"
COLOURS = ("#3b82f6", "#f59e0b", "#10b981", "#ef4444", "#a855f7", "#06b6d4", "#ec4899", "#84cc16")
LONE = (COLOURS[0], COLOURS[2], COLOURS[4], COLOURS[1], COLOURS[5], COLOURS[6])
LINES_MAX = len(LONE)
ALL_MAX = 12
"""The number of nodes that are drawn as a line each: first nodes that came or went, then other nodes."""

POINTS_MAX = 400
SIZE = (4.8, 2.9)

Values = NDArray[np.float64]


def connections(summary: Summary, top: float, end: float) -> str:
    """Draw the connections of each node over time; the scales end at `top` and `end`."""
    course = summary.course

    def draw(axes: "Axes") -> None:
        values = np.array(course.connections, float)
        _nodes(axes, course, values)
        axes.set_ylim(0, top)
        axes.set_xlim(right=end)
        axes.set_title(f"{label(summary.name)}: connections per node")

    return _svg(f"connections {summary.name}", draw)


def arrivals(summary: Summary, top: float, end: float) -> str:
    """Draw the arrivals at each node, as a part of the handshakes that it can take."""
    course = summary.course

    def draw(axes: "Axes") -> None:
        values = course.arrivals() / np.array(course.handshakes_per_s)
        _nodes(axes, course, 100 * values, peaks=True)
        for level, text in ((50, "budget"), (100, "all it can take")):
            axes.axhline(level, color=COLOURS[3], linewidth=1, linestyle="--" if level == 50 else "-", alpha=0.8)
            if level < top * 100:
                axes.annotate(
                    text, (1, level), xycoords=("axes fraction", "data"), xytext=(-2, 2),
                    textcoords="offset points", ha="right", fontsize=7.5, color=COLOURS[3],
                )  # fmt: skip
        axes.set_ylim(0, 100 * top)
        axes.set_xlim(right=end)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g} %")
        axes.set_title(f"{label(summary.name)}: arrivals per node and second")

    return _svg(f"arrivals {summary.name}", draw)


def moves(summaries: Sequence[Summary]) -> str:
    """Draw the number of moves of each contender, and the necessary minimum."""

    def draw(axes: "Axes") -> None:
        _contenders(axes, summaries, lambda course: course.moves)
        least = max(summary.minimum for summary in summaries)
        if least:
            axes.axhline(least, color=INK, linewidth=1, linestyle=":")
            axes.annotate(
                f"the least: {least:,}", (1, least), xycoords=("axes fraction", "data"), xytext=(-2, 2),
                textcoords="offset points", ha="right", fontsize=7.5,
            )  # fmt: skip
        axes.set_ylim(bottom=0)
        axes.set_title("connections moved, so far")

    return _svg("moves", draw)


def imbalance(summaries: Sequence[Summary]) -> str:
    """Draw the greatest distance of a node from its fair share."""

    def draw(axes: "Axes") -> None:
        _contenders(axes, summaries, lambda course: [100 * min(off, 1.0) for off in course.off])
        axes.axhline(5, color=INK, linewidth=1, linestyle=":")
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g} %")
        axes.set_title("node furthest off its fair share")

    return _svg("imbalance", draw)


def away(summaries: Sequence[Summary]) -> str:
    """Draw the number of clients without a connection."""

    def draw(axes: "Axes") -> None:
        _contenders(axes, summaries, lambda course: course.away)
        axes.set_ylim(bottom=0)
        axes.set_title("clients without a connection")

    return _svg("away", draw)


def ends(summary: Summary) -> float:
    """The end of the run, in seconds after its first event."""
    return summary.seconds - _zero(summary.course)


def _nodes(axes: "Axes", course: Course, values: Values, *, peaks: bool = False) -> None:
    times = _times(course)
    taking = np.array(course.taking, bool)
    alone = [index for index, joined in enumerate(course.joined) if joined or not taking[:, index].all()]
    if values.shape[1] <= LINES_MAX:
        alone = list(range(values.shape[1]))
    others = [index for index in range(values.shape[1]) if index not in alone]
    if others:
        _band(axes, times, values[:, others], OLD, _count(len(others), "other" if alone else ""))
    if len(alone) > (LINES_MAX if others else ALL_MAX):
        _band(axes, times, values[:, alone], COLOURS[0], "nodes that came or went" if others else _count(len(alone)))
        alone = []
    colours = LONE if others else COLOURS
    for turn, index in enumerate(alone):
        axes.plot(
            times, _thin(values[:, index], peaks=peaks), color=colours[turn % len(colours)],
            linewidth=1.6 if others else 1.1, label=course.nodes[index],
        )  # fmt: skip
    _marks(axes, course)


def _band(axes: "Axes", times: Values, values: Values, colour: str, name: str) -> None:
    low, high = _thin(values.min(axis=1)), _thin(values.max(axis=1), peaks=True)
    axes.fill_between(times, low, high, color=colour, alpha=0.35, linewidth=0.6)
    axes.plot(times, _thin(np.median(values, axis=1)), color=colour, linewidth=1.4, label=name)


def _count(count: int, which: str = "") -> str:
    return " ".join(word for word in (str(count), which, "node" + "s" * (count != 1)) if word)


def _contenders(axes: "Axes", summaries: Sequence[Summary], values: Callable[[Course], Sequence[float]]) -> None:
    end = max(ends(summary) for summary in summaries)
    for index, summary in enumerate(summaries):
        drawn = _thin(np.array(values(summary.course), float), peaks=True)
        times = _times(summary.course)
        if len(drawn) and times[-1] < end:  # the last value remains
            times, drawn = np.append(times, end), np.append(drawn, drawn[-1])
        colour, dashed = COLOURS[index % len(COLOURS)], summary.name in BASELINES
        axes.plot(
            times, drawn, color=colour, linewidth=1.4 if dashed else 2.2, linestyle="--" if dashed else "-",
            zorder=2 if dashed else 3, label=label(summary.name),
        )  # fmt: skip
    _marks(axes, max((summary.course for summary in summaries), key=lambda course: len(course.times)))


def _marks(axes: "Axes", course: Course) -> None:
    for at, _ in course.marks:
        axes.axvline(at - _zero(course), color=FAINT, linewidth=1)
    axes.set_xlabel("seconds")


def _zero(course: Course) -> float:
    return course.marks[0][0] if course.marks else 0.0


def _times(course: Course) -> Values:
    return _thin(np.array(course.times) - _zero(course))


def _thin(values: Values, *, peaks: bool = False) -> Values:
    """Keep at most `POINTS_MAX` values; of `peaks` the largest in each stretch, so that none is lost."""
    step = -(-len(values) // POINTS_MAX)
    if step <= 1:
        return values
    if not peaks:
        return values[::step]
    padded = np.pad(values, (0, -len(values) % step), mode="edge")
    return np.asarray(padded.reshape(-1, step).max(axis=1))


def _svg(name: str, draw: "Callable[[Axes], None]") -> str:
    """Draw on new axes and return the SVG element."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        raise ConfigError("pictures need matplotlib; install it with `pip install 'ringway[sim]'`") from None
    style: Any = {
        "svg.fonttype": "none", "svg.hashsalt": name, "font.family": "sans-serif", "font.size": 8.5,
        "axes.titlesize": 9.5, "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.spines.top": False,
        "axes.spines.right": False, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK,
        "xtick.color": INK, "ytick.color": INK, "axes.grid": True, "grid.color": FAINT, "grid.linewidth": 0.6,
        "legend.frameon": False, "legend.fontsize": 7.5, "axes.axisbelow": True,
    }  # fmt: skip
    with matplotlib.rc_context(style):
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.add_subplot()
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 10 else f"{value:g}")
        draw(axes)
        labels = axes.get_legend_handles_labels()[1]
        figure.legend(loc="outside lower left", ncols=5 if all(len(label) <= 10 for label in labels) else 3)
        text = io.StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor").replace(f"stroke: {FAINT}", _FAINTLY)
    return svg.replace("font: ", "font-family: system-ui, sans-serif; font: ")


_FAINTLY = "stroke: currentColor; stroke-opacity: 0.18"


def standalone(svg: str) -> str:
    """Return `svg` as a file of its own, which follows the reader's choice of light or dark."""
    head, rest = svg.split(">", 1)
    colours = "svg{color:#1f2937}@media(prefers-color-scheme:dark){svg{color:#d1d5db}}"
    return f'<?xml version="1.0" encoding="utf-8"?>\n{head}><style>{colours}</style>{rest}'
