"""The pictures of the explanations, drawn by simulation: `python docs/explain/pictures.py`, about a minute.

Each is a picture of the page that `ringway simulate` writes for the settings below.
"""

from pathlib import Path
from typing import Any

from ringway.sim import plot
from ringway.sim.contender import make_contenders
from ringway.sim.run import simulate
from ringway.sim.scenario import make_scenario
from ringway.sim.summary import Summary

FOLDER = Path(__file__).parent / "pictures"


def runs(policies: list[str], baselines: list[str], **settings: Any) -> list[Summary]:
    """Run all policies and baselines through the scenario of `settings`."""
    scenario = make_scenario(settings)
    return [simulate(scenario, one) for one in make_contenders(policies, baselines, [], scenario.balance)]


def write(name: str, svg: str) -> None:
    """Write a picture."""
    path = FOLDER / f"{name}.svg"
    path.write_text(plot.standalone(svg))
    print(f"{path}: {path.stat().st_size / 1024:.0f} KiB")


def top(summaries: list[Summary]) -> float:
    """Return the end of the scale of connections."""
    return 1.08 * max(max(max(row) for row in summary.course.connections) for summary in summaries)


def main() -> None:
    """Draw all pictures."""
    FOLDER.mkdir(exist_ok=True)

    scale_out = runs(["two-choices"], ["reconnect-all", "restart-all", "modulo"], connections=100_000, seconds=70)
    write("scale-out-moves", plot.moves(scale_out))
    write("scale-out-away", plot.away(scale_out))
    for summary in scale_out[:2]:
        write(f"scale-out-{summary.name}", plot.connections(summary, top(scale_out), 60))
        write(f"scale-out-arrivals-{summary.name}", plot.arrivals(summary, 6.0, 60))

    # Clients come and go, and the balancer moves hardly any: so this shows the effect of placement alone on a new node.
    newcomers = runs(
        ["two-choices", "least-connected", "weighted-round-robin:fill=true", "round-robin"], [],
        connections=50_000, mean_life_s=600, seconds=310,
        balance={"start_above": 1.0, "moves_per_s_max": 0.001, "moves_per_s_min": 0.001},
    )  # fmt: skip
    write("policies-imbalance", plot.imbalance(newcomers))

    rooms = runs(
        ["rendezvous", "rendezvous:c=0"], [],
        scenario="hot-rooms", rooms=2000, connections=100_000,
    )  # fmt: skip
    for name, summary in zip(("bounded", "unbounded"), rooms, strict=True):
        write(f"hot-rooms-{name}", plot.connections(summary, top(rooms), 70))

    (rolling,) = runs(["two-choices"], [], scenario="rolling-restart", connections=50_000, mean_life_s=1800)
    write("rolling-restart", plot.connections(rolling, top([rolling]), plot.ends(rolling)))


if __name__ == "__main__":
    main()
