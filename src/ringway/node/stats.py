"""Counters of a channel node. Plain integers, so that counting costs nothing; the admin component renders them."""

from collections import Counter


class NodeStats:
    """Counters grow from the start of the process, unless they are called gauges.

    `commands` is by method, `errors` by the code of a reply, `closed` by the close code that this node sent,
    `refused` by the HTTP status of a refused handshake.
    """

    __slots__ = (
        "accepted",
        "address_refused",
        "aged",
        "closed",
        "commands",
        "connections",
        "cut",
        "deliveries",
        "drained",
        "errors",
        "evicted",
        "fenced",
        "frames_in",
        "gaps",
        "handovers",
        "handovers_failed",
        "handshake_p99_s",
        "history_reads",
        "knocks",
        "lost",
        "malformed",
        "missed",
        "moves",
        "moves_apart",
        "moves_lost",
        "moves_reconnected",
        "notices_dropped",
        "pending",
        "pings",
        "publications",
        "published",
        "recoveries",
        "refused",
        "repeated",
        "resumed",
        "rpc_calls",
        "rpc_running",
        "rpc_s",
        "sent_bytes",
        "shed",
        "slow",
        "turned_away",
        "utilisation",
        "writes",
    )

    def __init__(self) -> None:
        self.connections = 0  # gauge: connected, and not being closed
        self.pending = 0  # gauge: handshakes and connect commands under way
        self.slow = 0  # gauge: connections whose outbox is above its high-water mark
        self.handshake_p99_s = 0.0  # gauge: from an accepted socket to its 101
        self.utilisation: dict[str, float] = {}  # gauge: by resource; 1 is as much as is healthy
        self.accepted = 0  # handshakes that ended in 101
        self.refused: Counter[int] = Counter()
        self.knocks: Counter[str] = Counter()  # of gateways: answered, unproven, excess
        self.turned_away = 0  # handshakes refused because of their rate
        self.shed = 0  # connections refused with 503 at their accept, unread: a crowd was under way
        self.evicted = 0  # silent connections that were closed for room
        self.address_refused: Counter[str] = Counter()  # by the bound that the address had reached
        self.closed: Counter[int] = Counter()
        self.cut = 0  # connections that did not answer a close frame in time
        self.frames_in = 0
        self.commands: Counter[str] = Counter()
        self.errors: Counter[int] = Counter()
        self.rpc_calls: Counter[str] = Counter()  # calls of clients, by outcome (`rpc_calls`)
        self.rpc_running = 0  # gauge: calls under way
        self.rpc_s = 0.0  # seconds that calls have taken, all together
        self.pings = 0
        self.published = 0  # publications of this node's clients that the engine accepted
        self.publications = 0  # from the engine, for channels with subscribers here
        self.deliveries = 0  # publications times subscribers
        self.writes = 0  # frames that carried them
        self.malformed = 0  # messages of channels from the engine that were dropped: they cannot be read
        self.repeated = 0  # publications that were stored again by a stranger
        self.gaps = 0  # publications that came before their predecessor
        self.lost = 0  # gaps that history could not fill, and changes of history after an outage
        self.history_reads = 0  # history reads at the engine
        self.recoveries: Counter[str] = Counter()  # of clients that came back to a channel: complete, incomplete
        self.notices_dropped = 0  # joins and leaves that were not published
        self.sent_bytes = 0  # of deliveries and replies, without the headers of their frames
        self.moves = 0  # connections closed with a move
        self.missed = 0  # of these, clients that did not arrive in time
        self.handovers = 0  # of the moves, sessions that their target accepted
        self.handovers_failed = 0  # sessions that their target did not accept; before the cut their clients stay
        self.resumed = 0  # sessions of other nodes that go on here
        self.moves_reconnected = 0  # clients that were told to reconnect without their session
        self.moves_lost = 0  # clients that ended during a move, before their session had arrived
        self.moves_apart = 0  # sessions that arrived here, and for which no client came in time
        self.aged = 0  # connections closed at the end of their life (`max_age_s`)
        self.fenced = 0  # connections closed since the node had been stopped for longer than its lease
        self.drained = 0  # connections closed without a place elsewhere, at the deadline of a drain

    def on_turned_away(self) -> None:
        """Count a handshake above the rate that the node can serve."""
        self.turned_away += 1
