"""Counters of a gateway: plain integers, so that counting costs nothing; the admin component renders them."""

from collections import Counter

from ringway.types import NodeName


class GatewayStats:
    """Counters grow from the start of the process; `relays_open`, `relays_moving`, `heads_pending` and
    `handshakes_pending` are gauges, and so are counters with the comment "gauge".

    `requests` is by kind (discovery, healthz, readyz, upgrade, other), `responses` by HTTP status, `refused` by the
    cause of a failed handshake: `client` (its request was wrong), `no_route`, `no_node`, `unreachable`, `timeout`,
    `answer` (the node's answer was wrong), `status` (the node refused), `full`, `token`, `gone` (the client left
    meanwhile).
    `probes` of nodes are by outcome: `answered`, `failed`; `knocks` are `answered`, or have the kind of the fault:
    `unreachable`, `refused`, `no_websocket`, `no_proof`, `secret`, `another`. `address_refused` counts the refusals to
    one address, by the bound that it had reached: `asks`, `handshakes`, `relays`, `places`, `requests`. `token_refused`
    counts requests on routes with `auth=jwt`, by the fault of their token: `missing`, `expired`, `invalid`, `page` (a
    cookie from a foreign page). `cut` counts relays that the gateway ended, by cause: `node_lost`, `client_frame`,
    `node_frame`, `deadline`, `idle`, `stop`, `token` (it ended, or was revoked), `moved` and `drained` (the client was
    told to come back), `move` (the relay could not go on at a different node). For `move`, and for relays that were
    cut between two nodes, `moves_failed` has the reason: `unknown` (the gateway knows no such node, or the ticket is
    not good), `refused`, `unreachable`, `answer` (the node's answer was wrong, or agreed to
    other terms than the client was told), `timeout`, `no_node`, `attempts` (no attempt was left), `message` (a message
    was half sent), `client` (the client left meanwhile), or a cause of `cut`.
    `exchange_failed` counts plain requests that got no whole answer, by cause: `no_node`, `unreachable`, `timeout`,
    `answer` (the backend's answer was wrong), `full`, `token`, `client` (it left, or its request was broken), `stop`,
    `drained`, `session` (it is gone), `fault`. `sessions_lost` is by kind of session.
    """

    __slots__ = (
        "address_refused",
        "backend_connections",
        "backend_connects",
        "bytes_to_client",
        "bytes_to_node",
        "connections",
        "cut",
        "ejections",
        "evicted",
        "exchange_failed",
        "exchange_retries",
        "exchanges",
        "exchanges_open",
        "handshakes_pending",
        "heads_pending",
        "knocks",
        "moved",
        "moves_failed",
        "node_failures",
        "placements",
        "probes",
        "reconnect_window_s",
        "refused",
        "relays_moving",
        "relays_open",
        "relays_opened",
        "reopened",
        "requests",
        "responses",
        "retries",
        "sessions",
        "sessions_begun",
        "sessions_lost",
        "slot_wait_s",
        "slots",
        "token_refused",
        "turned_away",
    )

    def __init__(self) -> None:
        self.connections = 0
        self.evicted = 0  # connections closed without a complete head in time, or for room
        self.requests: Counter[str] = Counter()
        self.responses: Counter[int] = Counter()
        self.placements: Counter[NodeName] = Counter()
        self.probes: Counter[str] = Counter()
        self.knocks: Counter[str] = Counter()
        self.node_failures: Counter[NodeName] = Counter()  # failed handshakes that a different node opened
        self.ejections: Counter[NodeName] = Counter()  # times that a node was ejected for them
        self.refused: Counter[str] = Counter()
        self.address_refused: Counter[str] = Counter()
        self.token_refused: Counter[str] = Counter()
        self.slots = 0  # clients with a slot in the future
        self.turned_away = 0  # clients that were refused because the wait was too long
        self.slot_wait_s: dict[str, float] = {}  # gauge: by group, the wait of the next client, as of the last refresh
        self.reconnect_window_s: dict[str, float] = {}  # gauge: by group, the advised window
        self.retries = 0  # handshakes that were sent to an alternate node
        self.heads_pending = 0
        self.handshakes_pending = 0
        self.relays_open = 0
        self.relays_opened = 0
        self.bytes_to_node = 0  # updated every two seconds, and when a relay ends
        self.bytes_to_client = 0
        self.cut: Counter[str] = Counter()
        self.relays_moving = 0  # between two nodes
        self.moved = 0  # relays that followed a move to their next node
        self.reopened = 0  # relays that were opened anew at a different static backend
        self.moves_failed: Counter[str] = Counter()
        self.exchanges = 0  # plain requests that were begun
        self.exchanges_open = 0  # gauge
        self.exchange_retries = 0  # plain requests that were sent again, or to an alternate backend
        self.exchange_failed: Counter[str] = Counter()
        self.sessions = 0  # gauge: sessions of plain HTTP that this gateway knows
        self.sessions_begun = 0  # here
        self.sessions_lost: Counter[str] = Counter()  # requests whose session is gone, by kind
        self.backend_connections = 0  # gauge: connections to backends for plain requests
        self.backend_connects = 0  # such connections that were opened
