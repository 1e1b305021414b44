"""Scenario: the settings of a simulation, as flags or a TOML file give them.

scenario = "scale-out"
nodes = 20
connections = 200000
weights = [1, 1, 2]           # repeated over the nodes

[balance]
moves_per_s_max = 200

[[event]]                     # with scenario = "script": your own events
at_s = 10
do = "drain"
nodes = ["node-3"]
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from ringway.core.balance.config import BalanceConfig
from ringway.errors import ConfigError
from ringway.protocol.rule import split_error
from ringway.protocol.weight import WEIGHT_MAX, WEIGHT_MIN

SCENARIOS = {
    "scale-out": "nodes join",
    "scale-in": "nodes are drained and leave",
    "rolling-restart": "every node in turn is drained, restarts and comes back",
    "crash": "nodes die without a word",
    "flash-crowd": "as many clients again come within seconds",
    "hot-rooms": "a few rooms hold most clients, and a node joins",
    "heterogeneous": "nodes of different size, and a large one joins",
    "partition": "half of the nodes cannot be heard for a while",
    "quiet": "nothing happens but clients that come and go",
    "script": "what the file's [[event]] tables say",
}
"""The scenarios, with their events."""

KINDS = ("obedient", "slow", "plain", "jitterless", "wayward")
"""The kinds of clients (`crowd`)."""

Weight = Annotated[float, msgspec.Meta(ge=WEIGHT_MIN, le=WEIGHT_MAX)]


class ScenarioEvent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One event at `at_s`."""

    at_s: Annotated[float, msgspec.Meta(ge=0)]
    do: Literal["join", "drain", "undrain", "kill", "crowd", "silence", "hear"]
    nodes: tuple[str, ...] = ()
    clients: Annotated[int, msgspec.Meta(ge=0)] = 0  # for "crowd"
    over_s: Annotated[float, msgspec.Meta(ge=0)] = 10.0
    within_s: Annotated[float, msgspec.Meta(ge=0)] = 0.0  # for "drain": its deadline; 0: none


class NodeSetting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A node of the beginning, if they are not all alike."""

    name: str
    weight: Annotated[float, msgspec.Meta(ge=WEIGHT_MIN, le=WEIGHT_MAX)] = 1.0
    zone: str = ""
    handshakes_per_s: Annotated[float, msgspec.Meta(ge=0)] = 0.0  # 0: as the scenario says, by weight
    connections_max: Annotated[int, msgspec.Meta(ge=0)] = 0
    connections: Annotated[int, msgspec.Meta(ge=0)] = 0  # its first connections; fair shares if no node has this
    draining: bool = False


CLUSTER, CLIENTS, TIME = "Cluster", "Clients", "Time and reports"


def _about(description: str, panel: str, **bounds: Any) -> msgspec.Meta:
    return msgspec.Meta(description=description, extra={"panel": panel}, **bounds)


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All inputs of a run, except the contender. Fields with a panel are options as well."""

    scenario: Literal[tuple(SCENARIOS)] = "scale-out"  # type: ignore[valid-type]  # the names are those of the table
    nodes: Annotated[int, _about("Nodes at first.", CLUSTER, ge=1, le=1000)] = 10
    gateways: Annotated[int, _about("Gateways.", CLUSTER, ge=1, le=64)] = 2
    weights: Annotated[tuple[Weight, ...], _about("Weights of the nodes, repeated over them: 1,1,2.", CLUSTER)] = (1.0,)
    zones: Annotated[tuple[str, ...], _about("Zones of the nodes, repeated over them: a,b.", CLUSTER)] = ("",)
    handshakes_per_s: Annotated[
        float, _about("Handshakes a second that a node of weight 1 takes.", CLUSTER, gt=0, le=1e6)
    ] = 500.0
    connections_max: Annotated[int, _about("The most that a node takes; 0: no maximum.", CLUSTER, ge=0)] = 0
    add: Annotated[int, _about("The number of nodes that join.", CLUSTER, ge=0, le=1000)] = 1
    remove: Annotated[int, _about("The number of nodes that leave, or crash.", CLUSTER, ge=0, le=1000)] = 1
    restart_s: Annotated[float, _about("The duration of a node's restart.", CLUSTER, ge=0, le=3600)] = 3.0
    pause_s: Annotated[
        float,
        _about(
            "In a rolling restart: the pause between the return of a node and the drain of the next node.",
            CLUSTER,
            ge=0,
        ),
    ] = 2.0
    cool_down_s: Annotated[
        float, _about("The time after a move in which a client is not moved again.", CLUSTER, ge=0, le=86_400)
    ] = 1800.0
    connections: Annotated[int, _about("Clients at first.", CLIENTS, ge=1, le=500_000_000)] = 100_000
    classes_from: Annotated[
        int,
        _about(
            "From this number of clients on, clients without events are counted, and not simulated one by one. With "
            "a policy by key each client is simulated.",
            CLIENTS,
            ge=0,
        ),
    ] = 2_000_000
    mean_life_s: Annotated[
        float, _about("The mean life of connections; 0: no client comes or goes.", CLIENTS, ge=0)
    ] = 0.0
    slow: Annotated[float, _about("Part of the clients that take seconds to move.", CLIENTS, ge=0, le=1)] = 0.0
    plain: Annotated[float, _about("Part that does not know moves.", CLIENTS, ge=0, le=1)] = 0.0
    jitterless: Annotated[float, _about("Part that comes back after exactly 1 s.", CLIENTS, ge=0, le=1)] = 0.0
    wayward: Annotated[float, _about("Part that comes back at any time.", CLIENTS, ge=0, le=1)] = 0.0
    rooms: Annotated[
        int, _about("Rooms whose keys clients share; 0: each has its own.", CLIENTS, ge=0, le=10_000_000)
    ] = 0
    zipf: Annotated[float, _about("The inequality of the rooms: the exponent of Zipf's law.", CLIENTS, ge=0, le=5)] = (
        1.0
    )
    crowd: Annotated[
        int, _about("The number of clients in a flash crowd; 0: as many as at first.", CLIENTS, ge=0, le=20_000_000)
    ] = 0
    crowd_over_s: Annotated[float, _about("The time within which the crowd comes.", CLIENTS, gt=0, le=3600)] = 20.0
    seed: Annotated[int, _about("The seed from which all chance follows.", TIME, ge=0, le=2**63 - 1)] = 1
    seconds: Annotated[
        float, _about("The time to simulate; 0: until the cluster is at rest.", TIME, ge=0, le=86_400)
    ] = 0.0
    report_delay_s: Annotated[float, _about("The delay of nodes' reports.", TIME, ge=0, le=60)] = 0.0
    gossip_delay_s: Annotated[float, _about("The delay of gateways' reports.", TIME, ge=0, le=60)] = 0.0
    report_loss: Annotated[float, _about("Part of the reports that is lost.", TIME, ge=0, le=1)] = 0.0
    silent_s: Annotated[float, _about("The duration of a partition.", TIME, ge=0, le=3600)] = 20.0
    balance: BalanceConfig = msgspec.field(default_factory=BalanceConfig)
    event: tuple[ScenarioEvent, ...] = ()
    node: tuple[NodeSetting, ...] = ()  # instead of `nodes`
    policy_before: str = ""  # the policy that placed the first clients, if `node` gives their numbers

    def __post_init__(self) -> None:
        problems = []
        if sum(self.kinds.values()) > 1:
            parts = ", ".join(f"{kind} {share:g}" for kind, share in self.kinds.items() if share)
            problems.append(f"the kinds of clients are {parts}: more than all; the rest to 1 is obedient")
        if not self.weights:
            problems.append("weights are empty; give at least one number")
        if self.scenario in ("scale-in", "crash") and not 0 < self.remove < self.nodes:
            problems.append(f"remove = {self.remove} of {self.nodes} nodes; take away at least one, and leave one")
        if self.scenario == "script" and not self.event:
            problems.append("a script needs [[event]] tables in a file; or choose another scenario")
        names = [node.name for node in self.node]
        if len(set(names)) < len(names):
            problems.append("two [[node]] tables have the same name; give each its own")
        if problems:
            raise ConfigError(*problems)

    @property
    def kinds(self) -> dict[str, float]:
        """The shares of clients that are not obedient."""
        return {kind: getattr(self, kind) for kind in KINDS[1:]}

    @property
    def clients_more(self) -> int:
        """The number of clients that come beside the first clients."""
        crowd = (self.crowd or self.connections) if self.scenario == "flash-crowd" else 0
        return crowd + sum(event.clients for event in self.event)


def read_file(path: str) -> dict[str, Any]:
    """Return the content of the TOML file `path`; raise `ConfigError` if it cannot be read."""
    try:
        return tomllib.loads(Path(path).read_text())
    except OSError as error:
        raise ConfigError(f"the scenario file {path} cannot be read: {error.strerror}; correct the path") from None
    except RecursionError:
        raise ConfigError(f"the scenario file {path} is nested too deep; write it flatter") from None
    except ValueError as error:  # no TOML, or no UTF-8
        raise ConfigError(f"the scenario file {path} is no TOML: {error}") from None


def make_scenario(values: dict[str, Any]) -> Scenario:
    """Return the scenario of `values`; raise `ConfigError` that names the wrong value, and what would be right."""
    known = [field.name for field in msgspec.structs.fields(Scenario)]
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ConfigError(f"unknown settings: {', '.join(unknown)}; there are {', '.join(known)}")
    if values.get("node"):
        held = sum(node.get("connections", 0) for node in values["node"])
        values = {**values, "nodes": len(values["node"]), **({"connections": held} if held else {})}
    name = values.get("scenario", "scale-out")
    if name not in SCENARIOS:
        raise ConfigError(f"the scenario {name!r} is unknown; choose one of {', '.join(SCENARIOS)}, or a TOML file")
    try:
        return msgspec.convert(values, Scenario)
    except msgspec.ValidationError as error:
        words, path = split_error(error)
        raise ConfigError(f"{path or 'the scenario'}: {words}") from None
