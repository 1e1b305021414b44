"""Plays the scripts beside this file and compares what happens with what is written under each command.

A script is a list of commands, each followed by its transcript, indented. `pytest tests/scenario --rewrite` writes the
transcripts anew: then read the diff. Lines that begin with `expect` are judged in any case.

    cluster policy=two-choices seed=1     begins; the seed decides every chance
    node n1 weight=2 accept=100 zone=east max=500
                                          starts a node (weight 1, no zone and no limits, unless given)
    gateway g1                            starts a gateway
    connect 1000 plain keyed over=5s      clients arrive: `aware` ones obey moves, `plain` ones do not; with keys or not
    tick 10s                              lets time pass and shows what members noticed and planned
    loads                                 shows where the connections are
    kill n1 · withdraw n1 · drain n1 within=60s avoid=n2,n3 · undrain n1 · engine away · engine back
    expect n3 = 5 · expect moves in 3..9 · expect moves n1>n2 = 0
                                          also of: spread, connections, claims, retries, members g1
"""

from pathlib import Path

import pytest

from ringway.types import NodeName
from scenario.cluster import Gateway, Node, World

SCRIPTS = sorted(Path(__file__).parent.glob("*.txt"))
INDENT = "    "


class Player:
    """Carries out commands, and returns what there is to show of each."""

    def __init__(self) -> None:
        self.world = World("two-choices", 1)
        self.disappointed: list[str] = []
        self._shown_moves: dict[tuple[NodeName, NodeName], int] = {}

    def play(self, line: str) -> list[str]:
        words = line.split("#")[0].split()
        settings = dict(word.split("=", 1) for word in words if "=" in word and word != "=")
        return getattr(self, f"do_{words[0]}")([word for word in words[1:] if "=" not in word or word == "="], settings)

    def do_cluster(self, _: list[str], settings: dict[str, str]) -> list[str]:
        self.world = World(settings.get("policy", "two-choices"), int(settings.get("seed", "1")))
        return []

    def do_node(self, words: list[str], settings: dict[str, str]) -> list[str]:
        name = NodeName(words[0])
        weight, accept = float(settings.get("weight", "1")), float(settings.get("accept", "0"))
        zone, most = settings.get("zone", ""), int(settings.get("max", "0"))
        self.world.nodes[name] = Node(self.world, name, weight, accept, zone, most)
        return []

    def do_gateway(self, words: list[str], _: dict[str, str]) -> list[str]:
        gateway = Gateway(self.world, NodeName(words[0]))
        self.world.gateways.append(gateway)
        for member in [*self.world.nodes.values()]:  # a newcomer asks, and everybody answers
            if member.alive:
                member.report()
        return []

    def do_connect(self, words: list[str], settings: dict[str, str]) -> list[str]:
        over_s = float(settings.get("over", "1s").rstrip("s"))
        self.world.connect(int(words[0]), aware="plain" not in words, keyed="keyed" in words, over_s=over_s)
        return []

    def do_tick(self, words: list[str], _: dict[str, str]) -> list[str]:
        self.world.transcript.clear()
        self.world.run(float(words[0].rstrip("s")))
        moved = [
            f"{donor} > {target}: {count - self._shown_moves.get((donor, target), 0)}"
            for (donor, target), count in sorted(self.world.moves.items())
            if count > self._shown_moves.get((donor, target), 0)
        ]
        self._shown_moves = dict(self.world.moves)
        return [*self.world.transcript, *([f"moved {', '.join(moved)}"] if moved else [])]

    def do_loads(self, _: list[str], __: dict[str, str]) -> list[str]:
        nodes = [node for node in self.world.nodes.values() if node.alive]
        active = sum(node.weight for node in nodes if not node.draining)
        total = sum(len(node.clients) for node in nodes)
        return [
            f"{node.name}: {len(node.clients)} of a fair {0 if node.draining else total * node.weight / active:.0f}"
            + (" (draining)" if node.draining else "")
            for node in nodes
        ]

    def do_kill(self, words: list[str], _: dict[str, str]) -> list[str]:
        for gateway in self.world.gateways:
            if gateway.name == words[0]:
                gateway.alive = False
                return []
        self.world.end(self.world.nodes[NodeName(words[0])], withdraw=False)
        return []

    def do_withdraw(self, words: list[str], _: dict[str, str]) -> list[str]:
        self.world.end(self.world.nodes[NodeName(words[0])], withdraw=True)
        return []

    def do_drain(self, words: list[str], settings: dict[str, str]) -> list[str]:
        within_s = float(settings.get("within", "0s").rstrip("s"))
        self.world.nodes[NodeName(words[0])].drain_ends = self.world.now + within_s if within_s else 0.0
        avoid = settings.get("avoid", "")
        self.world.nodes[NodeName(words[0])].drain_avoid = tuple(NodeName(name) for name in avoid.split(",") if name)
        self._set_draining(words[0], draining=True)
        return []

    def do_undrain(self, words: list[str], _: dict[str, str]) -> list[str]:
        self._set_draining(words[0], draining=False)
        return []

    def _set_draining(self, name: str, *, draining: bool) -> None:
        node = self.world.nodes[NodeName(name)]
        node.draining = draining
        node.report()

    def do_engine(self, words: list[str], _: dict[str, str]) -> list[str]:
        self.world.engine_up = words[0] == "back"
        return []

    def do_expect(self, words: list[str], _: dict[str, str]) -> list[str]:
        *what, sign, bound = words
        low, _, high = bound.partition("..") if sign == "in" else (bound, "", bound)
        value = self.value(what)
        if not float(low) <= value <= float(high):
            self.disappointed.append(f"expect {' '.join(words)}: it is {value:g}")
        return []

    def value(self, what: list[str]) -> float:
        nodes = [node for node in self.world.nodes.values() if node.alive]
        counts = [len(node.clients) for node in nodes]
        match what:
            case ["connections"]:
                return sum(counts)
            case ["spread"]:
                active = [len(node.clients) / node.weight for node in nodes if not node.draining]
                return max(active) - min(active)
            case ["moves"]:
                return self.world.moves.total()
            case ["moves", pair]:
                donor, target = pair.split(">")
                return self.world.moves[NodeName(donor), NodeName(target)]
            case ["claims"]:
                return self.world.claims
            case ["retries"]:
                return self.world.retries
            case ["members", name]:
                return next(len(one.membership.members) for one in self.world.gateways if one.name == name)
            case [name]:
                return len(self.world.nodes[NodeName(name)].clients)
        raise ValueError(f"nothing is known of {what}")


def replay(script: str, player: Player) -> str:
    """Return the script with the transcripts of what happens now."""
    lines: list[str] = []
    for line in script.splitlines():
        if line.startswith(INDENT):
            continue
        lines.append(line)
        if line and not line.startswith("#"):
            lines += [INDENT + shown for shown in player.play(line)]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_scenario(path: Path, request: pytest.FixtureRequest) -> None:
    script = path.read_text()
    assert script.startswith("# "), "the head comment says what the scenario proves"
    player = Player()
    now = replay(script, player)
    if request.config.getoption("--rewrite"):
        path.write_text(now)
        script = now
    assert player.disappointed == []
    assert now.splitlines() == script.splitlines()
