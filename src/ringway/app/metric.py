"""Metrics of Ringway, with their sources: plain counters of the components, read at each scrape.

Metrics of the sources of backends are in `backend_metric.py`, of custom load in `collect_metric.py`.

A test finds counters of a component that have no row here. The page docs/reference/metrics.md is generated from these
tables.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

from ringway.admin.metric import Metric, Sample, Source
from ringway.app.log_writer import LogWriter
from ringway.core.message_refusals import MessageRefusals
from ringway.ports import Engine
from ringway.protocol.keyring import Keyring, Purpose
from ringway.version import VERSION

if TYPE_CHECKING:  # a process loads only the components that it runs
    from ringway.core.strangers import Strangers

Table = Mapping[str, Metric]
"""The metric of each attribute of a component's statistics."""


def counter(name: str, help_: str, *labels: str) -> Metric:
    """Return the counter `ringway_NAME`."""
    return Metric(f"ringway_{name}", "counter", help_, labels)


def gauge(name: str, help_: str, *labels: str) -> Metric:
    """Return the gauge `ringway_NAME`."""
    return Metric(f"ringway_{name}", "gauge", help_, labels)


GATEWAY: Table = {
    "connections": counter("gateway_connections_total", "TCP connections accepted on the public port."),
    "evicted": counter("gateway_evicted_total", "Connections closed without a complete head in time, or to make room."),
    "requests": counter(
        "gateway_requests_total", "Requests: discovery, healthz, readyz, upgrade, http, and the rest.", "kind"
    ),
    "responses": counter("gateway_responses_total", "Responses by HTTP status.", "status"),
    "placements": counter("gateway_placements_total", "Clients for whom a node was chosen, by node.", "node"),
    "refused": counter(
        "gateway_handshakes_refused_total",
        "Upgrades that failed: client (wrong request), no_node, unreachable, timeout, answer (wrong answer of the "
        "node), status (the node refused), full, gone (the client left meanwhile).",
        "cause",
    ),
    "probes": counter(
        "gateway_probes_total",
        "Requests that measure the response time of nodes (policy least-response-time): answered, failed.",
        "outcome",
    ),
    "knocks": counter(
        "gateway_knocks_total",
        "Knocks at nodes' URLs: answered; or unreachable, refused (by an HTTP status), no_websocket (the answer broke "
        "the handshake), no_proof (a server that is not a node, or a proxy that removes headers), secret (a "
        "different secret), another (a different node or incarnation).",
        "outcome",
    ),
    "node_failures": counter(
        "gateway_node_failures_total", "Handshakes that failed at a node and were opened by a different node.", "node"
    ),
    "ejections": counter(
        "gateway_node_ejections_total", "Times that a node was ejected because handshakes failed there.", "node"
    ),
    "address_refused": counter(
        "gateway_address_refused_total",
        "Refusals because an address was at its bound: asks (GET /gateway), handshakes, relays, places (unused "
        "tickets), requests.",
        "bound",
    ),
    "token_refused": counter(
        "gateway_token_refused_total",
        "Requests on routes with auth=jwt that were refused, by the fault of their token: missing, expired, invalid, "
        "page (a cookie from a foreign page).",
        "fault",
    ),
    "slots": counter("gateway_slots_total", "Clients that were told to wait for their slot, or kept waiting for it."),
    "turned_away": counter(
        "gateway_turned_away_total", "Clients that were told to try again later: their slot was too far away."
    ),
    "slot_wait_s": gauge(
        "gateway_slot_wait_seconds", "Time that the next client of a group would wait for its slot.", "group"
    ),
    "reconnect_window_s": gauge(
        "gateway_reconnect_window_seconds",
        "Time over which clients are advised to spread their return if their node dies; 0: no advice.",
        "group",
    ),
    "retries": counter("gateway_handshake_retries_total", "Handshakes that were retried at an alternate node."),
    "heads_pending": gauge("gateway_heads_pending", "Connections without a complete head, or idle between requests."),
    "handshakes_pending": gauge("gateway_handshakes_pending", "Upgrades being opened at a node."),
    "exchanges": counter("gateway_http_requests_total", "Plain requests on routes with http=true."),
    "exchanges_open": gauge("gateway_http_requests_open", "Plain requests being carried to backends."),
    "exchange_retries": counter(
        "gateway_http_retries_total", "Plain requests that were sent again, or to an alternate backend."
    ),
    "exchange_failed": counter(
        "gateway_http_failed_total",
        "Plain requests without a whole answer: no_node, unreachable, timeout, answer (the backend's was wrong), full, "
        "token, client (it left, or its request was broken), stop, drained, session (it is gone), fault.",
        "cause",
    ),
    "sessions": gauge("gateway_http_sessions", "Sessions of plain HTTP that this gateway knows, idle ones included."),
    "sessions_begun": counter("gateway_http_sessions_begun_total", "Sessions of plain HTTP that began here."),
    "sessions_lost": counter(
        "gateway_http_sessions_lost_total",
        "Requests and WebSockets whose session is gone or unknown, by kind: cookie, socketio, sockjs, signalr, mcp.",
        "kind",
    ),
    "backend_connections": gauge(
        "gateway_http_backend_connections", "Connections to backends for plain requests, idle ones included."
    ),
    "backend_connects": counter(
        "gateway_http_backend_connects_total", "Connections to backends that were opened for plain requests."
    ),
    "relays_open": gauge("gateway_relays_open", "WebSockets being carried to nodes."),
    "relays_opened": counter("gateway_relays_opened_total", "WebSockets that were carried to nodes."),
    "bytes_to_node": counter("gateway_bytes_to_node_total", "Bytes sent to nodes; added when a relay ends."),
    "bytes_to_client": counter("gateway_bytes_to_client_total", "Bytes sent to clients; added when a relay ends."),
    "cut": counter(
        "gateway_relays_cut_total",
        "Relays that the gateway ended: node_lost, client_frame or node_frame (not WebSocket), deadline, idle, stop, "
        "token (it ended, or was revoked), moved (told to reconnect, as planned), move (the move to a new node failed; "
        "see moves_failed).",
        "cause",
    ),
    "relays_moving": gauge("gateway_relays_moving", "WebSockets between two nodes; their clients wait."),
    "moved": counter("gateway_relays_moved_total", "WebSockets that were moved to a new node."),
    "reopened": counter(
        "gateway_relays_reopened_total", "WebSockets that were reopened at a different static backend (on-move=reopen)."
    ),
    "moves_failed": counter(
        "gateway_moves_failed_total",
        "WebSockets whose move to a new node failed, so their clients got 1012: unknown (node or ticket), refused, "
        "unreachable, answer (the node's answer was wrong), timeout, no_node, attempts (no attempt was left), message "
        "(half a message was sent), client (it left meanwhile), or the end of the relay meanwhile: node_lost, "
        "client_frame, node_frame, stop.",
        "cause",
    ),
}

NODE: Table = {
    "connections": gauge("node_connections", "Clients that are connected."),
    "pending": gauge("node_pending", "Handshakes and connect commands under way."),
    "handshake_p99_s": gauge(
        "node_handshake_p99_seconds",
        "Time from an accepted socket to its 101, 99th percentile of the last seconds; 0: no handshakes.",
    ),
    "utilisation": gauge(
        "node_utilisation_ratio",
        "Utilisation of the node, as reported: 1 is the healthy maximum. By cpu, memory, files, loop_lag, egress.",
        "resource",
    ),
    "slow": gauge("node_slow_connections", "Connections whose outbox is above its high-water mark."),
    "accepted": counter("node_accepted_total", "Handshakes that were accepted."),
    "refused": counter("node_handshakes_refused_total", "Handshakes that were refused, by HTTP status.", "status"),
    "knocks": counter(
        "node_knocks_total",
        "Knocks of gateways: answered, unproven (not made with this node's secret), excess (more than gateways need).",
        "outcome",
    ),
    "turned_away": counter(
        "node_turned_away_total",
        "The refused handshakes that came faster than the node can accept, by its own measurement.",
    ),
    "shed": counter("node_shed_total", "Connections that got 503 without being read, because too many came at once."),
    "evicted": counter(
        "node_evicted_total", "Connections without a request or a command that were closed to make room."
    ),
    "address_refused": counter(
        "node_address_refused_total",
        "Handshakes refused because their address was at its bound: connections, handshakes (without a ticket).",
        "bound",
    ),
    "closed": counter("node_closed_total", "Connections that the node closed, by close code.", "code"),
    "cut": counter("node_cut_total", "Connections that did not answer a close frame in time."),
    "frames_in": counter("node_received_frames_total", "WebSocket frames received."),
    "commands": counter("node_commands_total", "Commands of clients, by method.", "method"),
    "errors": counter("node_errors_total", "Commands that were answered with an error, by its code.", "code"),
    "rpc_calls": counter(
        "node_rpc_calls_total",
        "Calls of clients (RPC) by outcome: ok; refused (by the handler); closed (the handler closed the client); "
        "failed (an exception, which is logged); late (not answered in time); excess (too many were under way).",
        "outcome",
    ),
    "rpc_running": gauge("node_rpc_running", "Calls of clients (RPC) under way."),
    "rpc_s": counter("node_rpc_seconds_total", "Time that calls of clients (RPC) have taken, all together."),
    "pings": counter("node_pings_total", "Pings sent to clients."),
    "published": counter("node_published_total", "Publications of this node's clients that the engine accepted."),
    "publications": counter("node_publications_total", "Publications received from the engine with subscribers here."),
    "deliveries": counter("node_deliveries_total", "Publications times subscribers."),
    "writes": counter("node_delivered_frames_total", "WebSocket frames that carried deliveries."),
    "malformed": counter(
        "node_malformed_total", "Messages of channels from the engine that were dropped as malformed."
    ),
    "repeated": counter(
        "node_repeated_total", "Publications that a stranger has stored again, and that were not delivered again."
    ),
    "gaps": counter("node_gaps_total", "Publications that came before their predecessor, so that history was read."),
    "lost": counter(
        "node_positions_lost_total", "Channels with publications lost for good; their subscribers got 3010."
    ),
    "history_reads": counter("node_history_reads_total", "Reads of history from the engine."),
    "recoveries": counter(
        "node_recoveries_total", "Recoveries of channels by returning clients: complete, incomplete.", "outcome"
    ),
    "notices_dropped": counter("node_notices_dropped_total", "Joins and leaves that were not announced."),
    "sent_bytes": counter("node_sent_bytes_total", "Bytes of deliveries and replies, without headers of frames."),
    "moves": counter("node_moves_total", "Connections closed with the order to move."),
    "handovers": counter("node_handovers_total", "Sessions that were handed over to a different node."),
    "handovers_failed": counter(
        "node_handovers_failed_total",
        "Sessions whose handover failed: their clients stayed, or reconnected by themselves.",
    ),
    "resumed": counter("node_sessions_resumed_total", "Sessions of other nodes that were continued here."),
    "moves_reconnected": counter(
        "node_moves_reconnected_total",
        "Clients that were told to reconnect by a move, without their session. The donor or the target counts them.",
    ),
    "moves_lost": counter(
        "node_moves_lost_total", "Clients that ended during a move, before their session had arrived."
    ),
    "moves_apart": counter(
        "node_moves_apart_total", "Sessions of other nodes that arrived here, and whose clients did not come in time."
    ),
    "missed": counter("node_moves_missed_total", "Connections moved to a place that they did not use in time."),
    "aged": counter("node_aged_total", "Connections closed at the end of their life (`max_age_s`)."),
    "fenced": counter(
        "node_fenced_total", "Connections closed because the node was paused, and other members had given it up."
    ),
    "drained": counter("node_drained_total", "Connections closed at the deadline of a drain, without a new place."),
}

BALANCER: Table = {
    "leading": gauge("balancer_leading", "1 while this gateway's balancer leads."),
}

BALANCE: Table = {
    "frozen": gauge(
        "balancer_frozen", "1 while the leading balancer makes no moves; `ringway moves` gives the reason.", "group"
    ),
    "imbalance": gauge(
        "balancer_imbalance_ratio", "Largest deviation of a node from its fair share, as a part of it.", "group"
    ),
    "moves_planned": gauge("balancer_moves_planned", "Moves left in the current plan.", "group"),
    "moves_ordered": counter(
        "balancer_moves_ordered_total",
        "Moves that were ordered from nodes: drain, imbalance, keys (their owner changed), asked (by an operator).",
        "group",
        "cause",
    ),
    "orders_failed": counter("balancer_orders_failed_total", "Orders that a node refused or did not answer.", "group"),
    "balance_s": gauge("balancer_balance_seconds", "Duration of the last balance that was completed.", "group"),
    "reconnect_window_s": gauge(
        "balancer_reconnect_window_seconds",
        "Time over which the clients of a node that dies now should return, so that the other nodes can accept them.",
        "group",
    ),
}

NO_METRIC = {"reason"}
"""Attributes of statistics that are not numbers."""

ENGINE_UP = gauge("engine_up", "1 while the engine can be reached.")
DEGRADED = gauge(
    "degraded",
    "1 while the engine is away, or refuses something (full storage, a missing right); /healthz of the admin port "
    "names it, with the remedy.",
)
LOG_LINES = counter("log_lines_total", "Lines of the log, without repeated lines that were left out.")
LOG_DROPPED = counter(
    "log_dropped_total", "Lines of the log that were lost: their disk, pipe or terminal was full, gone or too slow."
)
MESSAGES_REFUSED = counter(
    "messages_refused_total",
    "Messages that came as if from members, and were not believed. By purpose: report, bus (calls), publication; by "
    "fault: unsealed, forged, version, stale, replayed, unreadable.",
    "purpose",
    "fault",
)
SECRET = gauge(
    "secret",
    "1 for each secret of the cluster that this process believes, by its fingerprint; use: signs, or accepted.",
    "fingerprint",
    "use",
)
INFO = gauge("build_info", "Always 1; the labels identify the process.", "version", "role", "name")
NODE_LOAD = gauge("gateway_node_load", "Effective load of each node, by this gateway's view.", "node", "group")
NODE_CONNECTIONS = gauge("gateway_node_connections", "Connections of each node, by its last report.", "node", "group")
NODE_DOUBTED = gauge(
    "gateway_node_doubted",
    "1 for each node that gets no clients from this gateway, because it has not answered a knock at its URL.",
    "node",
)
NODE_EJECTED = gauge("gateway_node_ejected", "1 for each node that is ejected because handshakes failed there.", "node")
NODE_SKEW = gauge(
    "gateway_node_clock_skew_seconds",
    "How much the wall clock of each node is ahead of this gateway's; negative if it is behind.",
    "node",
)
STRANGERS = gauge(
    "gateway_strangers", "Members whose messages this gateway does not believe; `ringway nodes` names them."
)
SCORE_FAILURES = counter(
    "gateway_score_failures_total", "Calls of the policy score's function that failed or returned no number."
)

EVERY_PROCESS = (INFO, ENGINE_UP, DEGRADED, MESSAGES_REFUSED, SECRET, LOG_LINES, LOG_DROPPED)
VIEW = (NODE_LOAD, NODE_CONNECTIONS, NODE_DOUBTED, NODE_EJECTED, NODE_SKEW, STRANGERS, SCORE_FAILURES)


def read_stats(stats: object, table: Table) -> Source:
    """Return a source that reads `stats` by `table`."""

    def read() -> Iterator[Sample]:
        for attribute, metric in table.items():
            value = getattr(stats, attribute)
            if isinstance(value, dict):  # includes Counter
                for label, count in list(value.items()):
                    yield Sample(metric, count, (str(label),))
            else:
                yield Sample(metric, value)

    return read


def read_process(role: Literal["gateway", "node"], name: str, engine: Engine | None, log: LogWriter) -> Source:
    """Return a source that describes the process, its engine and its log."""

    def read() -> Iterator[Sample]:
        yield Sample(INFO, 1, (VERSION, role, name))
        if engine is not None:
            yield Sample(ENGINE_UP, engine.up)
            yield Sample(DEGRADED, not engine.up or bool(engine.problem))
        yield Sample(LOG_LINES, log.lines)
        yield Sample(LOG_DROPPED, log.dropped)

    return read


def read_refusals(refusals: MessageRefusals) -> Source:
    """Return a source of the messages that were not believed."""

    def read() -> Iterator[Sample]:
        for (purpose, fault), count in list(refusals.counts.items()):
            yield Sample(MESSAGES_REFUSED, count, (purpose, fault))

    return read


def read_strangers(strangers: "Strangers", *, are_counted: bool) -> Source:
    """Return a source of the refused reports; and of the number of strangers, if they `are_counted`."""

    def read() -> Iterator[Sample]:
        for fault, count in strangers.refused.items():
            yield Sample(MESSAGES_REFUSED, count, (Purpose.REPORT, fault))
        if are_counted:
            yield Sample(STRANGERS, len(strangers))

    return read


def read_fingerprints(keyring: Keyring) -> Source:
    """Return a source of the secrets that the process believes."""

    def read() -> Iterator[Sample]:
        for use, fingerprint in zip(("signs", "accepted"), keyring.fingerprints, strict=False):
            yield Sample(SECRET, 1, (fingerprint, use))

    return read
