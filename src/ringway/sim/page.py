"""Page of a simulation: a self-contained HTML file, for a wide screen or a phone, light or dark."""

from collections.abc import Sequence
from html import escape

import numpy as np

from ringway.sim import plot
from ringway.sim.scenario import Scenario
from ringway.sim.story import COLUMNS, explanations, headline, row, sentences
from ringway.sim.summary import Summary

_STYLE = """
:root {
  color-scheme: light dark; --ink: #1f2937; --faint: #6b7280; --ground: #ffffff; --card: #f8fafc; --line: #e2e8f0;
}
@media (prefers-color-scheme: dark) {
  :root { --ink: #d1d5db; --faint: #9ca3af; --ground: #111827; --card: #1a2333; --line: #334155; }
}
body { margin: 0 auto; padding: 1.2rem; max-width: 84rem; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.4rem; line-height: 1.3; margin: 0 0 .6rem; }
h2 { font-size: 1.05rem; margin: 2rem 0 .6rem; }
ul { margin: .4rem 0; padding-left: 1.2rem; }
.table { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .88rem; white-space: nowrap; }
th, td { padding: .3rem .7rem; text-align: right; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; font-weight: 600; position: sticky; left: 0;
  background: var(--ground); }
thead th { color: var(--faint); font-weight: 500; }
.pictures { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 24rem), 1fr)); }
figure { margin: 0; padding: .5rem; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; }
figure svg { display: block; width: 100%; height: auto; color: var(--ink); }
.note { color: var(--faint); font-size: .88rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: .4rem 0; }
dt { font-weight: 600; } dd { margin: 0; }
"""


def page(scenario: Scenario, summaries: Sequence[Summary], title: str = "", note: str = "") -> str:
    """Return the whole page; `title` replaces the description of the scenario, `note` is below the table."""
    head = escape(title or headline(scenario))
    said = "".join(f"<li>{escape(sentence[0].upper() + sentence[1:])}</li>" for sentence in sentences(summaries))
    end = max(plot.ends(summary) for summary in summaries)
    parts = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Ringway: {escape(scenario.scenario)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{head}</h1><ul>{said}</ul>",
        _table(summaries),
        f'<p class="note">{escape(note)}</p>' if note else "",
        f"<h2>{'Side by side' if len(summaries) > 1 else 'Over time'}</h2>",
        _pictures([plot.imbalance(summaries), plot.moves(summaries), plot.away(summaries)]),
        "<h2>Connections per node</h2>",
        _pictures([plot.connections(summary, _top(summaries), end) for summary in summaries]),
        "<h2>Arrivals per node, against what it can take</h2>",
        '<p class="note">In percent of the handshakes a second that a node can take. Half of them is the budget that '
        "placements and moves keep to; above 100 % clients wait, or are refused and try again.</p>",
        _pictures([plot.arrivals(summary, _top_arrivals(summaries), end) for summary in summaries]),
        _notes(scenario, summaries),
        "</body></html>\n",
    ]
    return "".join(parts)


def _table(summaries: Sequence[Summary]) -> str:
    heads = "".join(f'<th title="{escape(meaning)}">{escape(name)}</th>' for name, meaning in COLUMNS)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row(summary)) + "</tr>" for summary in summaries
    )
    return f'<div class="table"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'


def _pictures(svgs: Sequence[str]) -> str:
    return '<div class="pictures">' + "".join(f"<figure>{svg}</figure>" for svg in svgs) + "</div>"


def _top(summaries: Sequence[Summary]) -> float:
    return 1.08 * max(max(max(row) for row in summary.course.connections) for summary in summaries) or 1.0


def _top_arrivals(summaries: Sequence[Summary]) -> float:
    """One scale for all runs: at least the handshakes that a node can serve, at most six times that."""
    most = max(
        float((summary.course.arrivals() / np.array(summary.course.handshakes_per_s)).max()) for summary in summaries
    )
    return min(6.0, max(1.1, 1.08 * most))


def _notes(scenario: Scenario, summaries: Sequence[Summary]) -> str:
    meanings = "".join(f"<dt>{escape(name)}</dt><dd>{escape(meaning)}</dd>" for name, meaning in COLUMNS if name)
    ways = "".join(f"<li>{escape(text)}</li>" for text in explanations(summaries))
    lasted = max(summary.seconds for summary in summaries)
    return (
        f'<h2>What the columns mean</h2><div class="note"><dl>{meanings}</dl>'
        + (f"<p>Ways without directed moves, for comparison:</p><ul>{ways}</ul>" if ways else "")
        + f"<p>Simulated by <code>ringway simulate</code>: the product's own placement and balancer in virtual time, "
        f"{lasted:,.0f} s of it, seed {scenario.seed}, {scenario.gateways} gateways, nodes that take "
        f"{scenario.handshakes_per_s:g} handshakes a second for each unit of weight.</p></div>"
    )
