"""The faults that `mutants` puts into the code: where, what, and which scenario must find them how."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Edit:
    """A replacement in a file below `src/ringway`; `old` stands there once."""

    path: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """A fault: `finds` are words of which one must be in the verdict; `size` changes the scenario's small size."""

    name: str
    fault: str
    scenario: str
    finds: tuple[str, ...]
    edits: tuple[Edit, ...]
    size: dict[str, str] = field(default_factory=dict)


MUTANTS = (
    Mutant(
        "turn-reversed",
        "publications of one loop turn leave in the wrong order",
        "calm",
        ("reordered",),
        (
            Edit(
                "node/fanout.py",
                "frame = frame_of(encode_pushes(channel, publications))",
                "frame = frame_of(encode_pushes(channel, publications[::-1]))",
            ),
        ),
        {"channels": "1", "publishers": "sdk", "rate": "1000"},
    ),
    Mutant(
        "turn-cut",
        "of many publications in one loop turn only the first leaves",
        "calm",
        ("lost silently",),
        (
            Edit(
                "node/fanout.py",
                "frame = frame_of(encode_pushes(channel, publications))",
                "frame = frame_of(encode_pushes(channel, publications[:1]))",
            ),
        ),
        {"channels": "1"},
    ),
    Mutant(
        "turn-kept",
        "what was sent in one loop turn is sent again when the bound of a turn is reached",
        "calm",
        ("doubled",),
        (Edit("node/fanout.py", "turn, self._turn = self._turn, {}", "turn = self._turn"),),
    ),
    Mutant(
        "subscribe-answered-early",
        "a subscribe is answered before the engine's interest holds",
        "calm",
        ("lost silently",),
        (
            Edit(
                "node/commands.py",
                "            await shared.interest.obtain(channel)\n",
                "            asyncio.get_running_loop().call_later(0.5, lambda: asyncio.ensure_future("
                "shared.interest.obtain(channel)))\n",
            ),
        ),
        {"channels": "60"},
    ),
    Mutant(
        "ack-before-engine",
        "a publish is answered before the engine has it",
        "nats_away",
        ("lost silently",),
        (
            Edit(
                "node/commands.py",
                "            await shared.engine.broker.publish(channel, payload)\n",
                "            asyncio.ensure_future(shared.engine.broker.publish(channel, payload))\n",
            ),
        ),
    ),
    Mutant(
        "moved-commands-dropped",
        "what a client sends behind a command that waits is forgotten",
        "calm",
        ("without an answer",),
        (Edit("node/worker.py", "            backlog.frames.append(commands)\n", ""),),
        {"channels": "1"},
    ),
)
