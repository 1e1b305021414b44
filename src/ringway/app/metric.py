"""Every metric of Ringway, and where it is read: the components' plain counters, at the scrape.

The tables are complete by test: a counter that is added to a component without a row here is found. The page
docs/reference/metrics.md is generated from them.
"""

from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Literal

from ringway.admin.metric import Metric, Sample, Source
from ringway.app.log_writer import LogWriter
from ringway.ports import Engine

if TYPE_CHECKING:  # a process loads the components that it runs, and no other one
    from ringway.balancer.stats import BalancerStats
    from ringway.collect.poller import CollectStats, Poller
    from ringway.core.load import LoadView
    from ringway.core.steering import Steering
    from ringway.gateway.stats import GatewayStats
    from ringway.node.stats import NodeStats

Table = Mapping[str, Metric]
"""The metric of each attribute of a component's statistics."""


def _counter(name: str, help_: str, *labels: str) -> Metric:
    return Metric(f"ringway_{name}", "counter", help_, labels)


def _gauge(name: str, help_: str, *labels: str) -> Metric:
    return Metric(f"ringway_{name}", "gauge", help_, labels)


GATEWAY: Table = {
    "connections": _counter("gateway_connections_total", "TCP connections accepted on the public port."),
    "evicted": _counter("gateway_evicted_total", "Connections closed for want of a complete head, or for room."),
    "requests": _counter(
        "gateway_requests_total", "Requests: discovery, healthz, readyz, upgrade, and other ones.", "kind"
    ),
    "responses": _counter("gateway_responses_total", "Responses by HTTP status.", "status"),
    "placements": _counter("gateway_placements_total", "Clients for whom a node was chosen, by node.", "node"),
    "refused": _counter(
        "gateway_handshakes_refused_total",
        "Upgrades that failed: client (its request was wrong), no_node, unreachable, timeout, answer (the node's was "
        "wrong), status (the node refused), full, gone (the client left meanwhile).",
        "cause",
    ),
    "probes": _counter(
        "gateway_probes_total",
        "Nodes asked how quickly they answer (policy least-response-time): answered, failed.",
        "outcome",
    ),
    "address_refused": _counter(
        "gateway_address_refused_total",
        "What addresses were refused that had as much as one may have: asks (GET /gateway), handshakes, relays, places "
        "(tickets that were not used).",
        "bound",
    ),
    "slots": _counter("gateway_slots_total", "Clients that were told to wait for their slot, or held until it."),
    "turned_away": _counter(
        "gateway_turned_away_total", "Clients that were told to ask again later: their slot was too far away."
    ),
    "slot_wait_s": _gauge("gateway_slot_wait_seconds", "How long the next client would wait for its slot."),
    "reconnect_window_s": _gauge(
        "gateway_reconnect_window_seconds",
        "Over how long clients are advised to spread their return if their node dies; 0: nothing is advised.",
    ),
    "retries": _counter("gateway_handshake_retries_total", "Handshakes that went on to an alternate node."),
    "heads_pending": _gauge("gateway_heads_pending", "Connections without a complete head, or idle between requests."),
    "handshakes_pending": _gauge("gateway_handshakes_pending", "Upgrades being opened at a node."),
    "relays_open": _gauge("gateway_relays_open", "WebSockets being carried to nodes."),
    "relays_opened": _counter("gateway_relays_opened_total", "WebSockets that were carried to nodes."),
    "bytes_to_node": _counter("gateway_bytes_to_node_total", "Bytes carried to nodes; added when a relay ends."),
    "bytes_to_client": _counter("gateway_bytes_to_client_total", "Bytes carried to clients; added when a relay ends."),
    "cut": _counter(
        "gateway_relays_cut_total",
        "Relays that the gateway ended: node_lost, client_frame or node_frame (not WebSocket), deadline, idle, stop, "
        "move (it could not be carried on at another node; see moves_failed).",
        "cause",
    ),
    "relays_moving": _gauge("gateway_relays_moving", "WebSockets between two nodes: their clients wait."),
    "moved": _counter("gateway_relays_moved_total", "WebSockets that were carried on where a node had moved them."),
    "reopened": _counter(
        "gateway_relays_reopened_total", "WebSockets opened anew at another static backend (on-move=reopen)."
    ),
    "moves_failed": _counter(
        "gateway_moves_failed_total",
        "WebSockets that could not be carried on at another node, so that clients were told 1012: unknown (node or "
        "ticket), refused, unreachable, answer (the node's was wrong), timeout, no_node, attempts (none was left), "
        "message (one was half sent), client (it left meanwhile), or what cut the relay meanwhile: node_lost, "
        "client_frame, node_frame, stop.",
        "cause",
    ),
}

NODE: Table = {
    "connections": _gauge("node_connections", "Clients that are connected."),
    "pending": _gauge("node_pending", "Handshakes and connect commands under way."),
    "handshake_p99_s": _gauge(
        "node_handshake_p99_seconds",
        "From an accepted socket to its 101, 99th percentile of the last seconds; 0: none.",
    ),
    "utilisation": _gauge(
        "node_utilisation_ratio",
        "How full the node is, as reported: 1 is as much as is healthy. By cpu, memory, files, loop_lag, egress.",
        "resource",
    ),
    "slow": _gauge("node_slow_connections", "Connections whose outbox is above its high-water mark."),
    "accepted": _counter("node_accepted_total", "Handshakes that were accepted."),
    "refused": _counter("node_handshakes_refused_total", "Handshakes that were refused, by HTTP status.", "status"),
    "turned_away": _counter(
        "node_turned_away_total",
        "Of the refused handshakes, those above the rate that the node can take, as it has measured.",
    ),
    "shed": _counter("node_shed_total", "Connections told 503 as they were accepted, unread: a crowd was under way."),
    "evicted": _counter(
        "node_evicted_total", "Connections that had sent no request, or no command, and were closed to make room."
    ),
    "address_refused": _counter(
        "node_address_refused_total",
        "Handshakes of addresses that had as much as one may have: connections, handshakes (without a ticket).",
        "bound",
    ),
    "closed": _counter("node_closed_total", "Connections that the node closed, by close code.", "code"),
    "cut": _counter("node_cut_total", "Connections that did not answer a close frame in time."),
    "frames_in": _counter("node_received_frames_total", "WebSocket frames received."),
    "commands": _counter("node_commands_total", "Commands of clients, by method.", "method"),
    "errors": _counter("node_errors_total", "Commands that were answered with an error, by its code.", "code"),
    "pings": _counter("node_pings_total", "Pings sent to clients."),
    "published": _counter("node_published_total", "Publications of this node's clients that the engine took."),
    "publications": _counter("node_publications_total", "Publications received from the engine with subscribers here."),
    "deliveries": _counter("node_deliveries_total", "Publications times subscribers."),
    "writes": _counter("node_delivered_frames_total", "WebSocket frames that carried deliveries."),
    "malformed": _counter("node_malformed_total", "Publications from the engine that were dropped as malformed."),
    "gaps": _counter("node_gaps_total", "Publications that came before their predecessor: history was read then."),
    "lost": _counter(
        "node_positions_lost_total", "Channels in which publications are missing for good: 3010 was told."
    ),
    "history_reads": _counter("node_history_reads_total", "Questions to the engine about history."),
    "recoveries": _counter(
        "node_recoveries_total", "Channels that clients came back to: complete, incomplete.", "outcome"
    ),
    "notices_dropped": _counter("node_notices_dropped_total", "Joins and leaves that nobody was told."),
    "sent_bytes": _counter("node_sent_bytes_total", "Bytes of deliveries and replies, without headers of frames."),
    "moves": _counter("node_moves_total", "Connections closed with the order to move."),
    "handovers": _counter("node_handovers_total", "Sessions that were handed over to another node."),
    "handovers_failed": _counter(
        "node_handovers_failed_total", "Sessions that were not: their clients stayed, or came back by themselves."
    ),
    "resumed": _counter("node_sessions_resumed_total", "Sessions of other nodes that went on here."),
    "missed": _counter("node_moves_missed_total", "Connections sent to a place that they did not take in time."),
    "aged": _counter("node_aged_total", "Connections closed at the end of their life (`max_age_s`)."),
    "fenced": _counter(
        "node_fenced_total", "Connections closed since the node had been stopped, and the others had given it up."
    ),
    "drained": _counter("node_drained_total", "Connections closed at the deadline of a drain, without a new place."),
}

BALANCER: Table = {
    "leading": _gauge("balancer_leading", "1 while this gateway's balancer is the one that acts."),
    "frozen": _gauge("balancer_frozen", "1 while the leading balancer makes no moves; `ringway moves` says why."),
    "imbalance": _gauge("balancer_imbalance_ratio", "How far the node furthest off its fair share is off, per share."),
    "moves_planned": _gauge("balancer_moves_planned", "Moves that the present plan still holds."),
    "moves_ordered": _counter(
        "balancer_moves_ordered_total",
        "Moves that nodes were told to make: drain, imbalance, keys (their owner changed), asked (by an operator).",
        "cause",
    ),
    "orders_failed": _counter("balancer_orders_failed_total", "Orders that a node refused or did not answer."),
    "balance_s": _gauge("balancer_balance_seconds", "How long the last balance took that came to its end."),
    "reconnect_window_s": _gauge(
        "balancer_reconnect_window_seconds",
        "How long the clients of a node that dies now should take to come back, for the others to stand it.",
    ),
}

COLLECT: Table = {
    "polls": _counter("collect_polls_total", "Measurements of nodes (custom load), by metric.", "metric"),
    "failures": _counter("collect_failures_total", "Measurements that failed; the value expires then.", "metric"),
}

NO_METRIC = {"reason"}
"""Attributes of statistics that are no numbers."""

ENGINE_UP = _gauge("engine_up", "1 while the engine can be reached.")
DEGRADED = _gauge(
    "degraded",
    "1 while the engine is away, or refuses something (storage that is full, a right that is missing); /healthz of the "
    "admin port says what, with the remedy.",
)
LOG_LINES = _counter("log_lines_total", "Lines of the log, without those that only repeated others.")
LOG_DROPPED = _counter(
    "log_dropped_total", "Lines of the log that were lost: what they are written to was full, gone or too slow."
)
INFO = _gauge("build_info", "Always 1; the labels say what runs.", "version", "role", "name")
NODE_LOAD = _gauge("gateway_node_load", "Effective load of each node as this gateway sees it.", "node")
NODE_CONNECTIONS = _gauge("gateway_node_connections", "Connections of each node, as it last reported.", "node")
SCORE_FAILURES = _counter(
    "gateway_score_failures_total", "Calls of the policy score's function that failed or returned no number."
)

COLLECT_VALUE = _gauge(
    "collect_value", "What was measured at each node, smoothed; absent once expired.", "node", "metric"
)
COLLECT_SCORE = _gauge("collect_score", "1 less the utilisation that measurements come to; below 0 is over.", "node")
COLLECT_GATED = _gauge("collect_gated", "1 while measurements keep newcomers from the node.", "node")
COLLECT_TRIM = _gauge("collect_trim_ratio", "What measurements make of the node's weight, per weight.", "node")
COLLECT_PANIC = _gauge("collect_panic", "1 while gates are ignored, because too much of the weight would be gated.")

EVERY_PROCESS = (INFO, ENGINE_UP, DEGRADED, LOG_LINES, LOG_DROPPED)
VIEW = (NODE_LOAD, NODE_CONNECTIONS, SCORE_FAILURES)
COLLECTED = (COLLECT_VALUE, COLLECT_SCORE, COLLECT_GATED, COLLECT_TRIM, COLLECT_PANIC)


def read_stats(stats: "GatewayStats | NodeStats | BalancerStats | CollectStats", table: Table) -> Source:
    """Return a source that reads `stats` by `table`."""

    def read() -> Iterator[Sample]:
        for attribute, metric in table.items():
            value = getattr(stats, attribute)
            if isinstance(value, dict):  # a Counter is one
                for label, count in list(value.items()):
                    yield Sample(metric, count, (str(label),))
            else:
                yield Sample(metric, value)

    return read


def read_process(role: Literal["gateway", "node"], name: str, engine: Engine | None, log: LogWriter) -> Source:
    """Return a source that says what runs, whether its engine is there, and how its log fares."""

    def read() -> Iterator[Sample]:
        yield Sample(INFO, 1, (version("ringway"), role, name))
        if engine is not None:
            yield Sample(ENGINE_UP, engine.up)
            yield Sample(DEGRADED, not engine.up or bool(engine.problem))
        yield Sample(LOG_LINES, log.lines)
        yield Sample(LOG_DROPPED, log.dropped)

    return read


def read_view(view: "LoadView") -> Source:
    """Return a source that says what a gateway knows of the nodes."""

    def read() -> Iterator[Sample]:
        for node in list(view.nodes.values()):
            yield Sample(NODE_LOAD, node.load, (node.name,))
            yield Sample(NODE_CONNECTIONS, node.connections, (node.name,))

    return read


def read_policy(steering: "Steering") -> Source:
    """Return a source that says how the policy in force fares."""
    from ringway.core.placement.score import Score

    def read() -> Iterator[Sample]:
        if isinstance(steering.policy, Score):
            yield Sample(SCORE_FAILURES, steering.policy.failures)

    return read


def read_collected(poller: "Poller") -> Source:
    """Return a source that says what was measured at nodes, and what followed from it; silent where nothing is."""

    def read() -> Iterator[Sample]:
        custom = poller.custom
        for name, standing in list(custom.standings.items()):
            for metric, value in standing.values.items():
                if value.measured:
                    yield Sample(COLLECT_VALUE, value.value, (name, metric))
            if standing.score is not None:
                yield Sample(COLLECT_SCORE, standing.score, (name,))
            yield Sample(COLLECT_GATED, name in custom.gates, (name,))
            yield Sample(COLLECT_TRIM, custom.trims.get(name, 1.0), (name,))
        if custom.standings:
            yield Sample(COLLECT_PANIC, custom.panic)

    return read


def read_poller(poller: "Poller") -> list[Source]:
    """Return the sources that say how measuring fares, and what was measured."""
    return [read_stats(poller.stats, COLLECT), read_collected(poller)]
