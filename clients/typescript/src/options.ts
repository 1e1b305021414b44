/** Options of a socket, each with its unit, bound and reason. */

/** Events beneath a socket, for programs that show them. */
export type RingwayEvent =
  /** The socket is open. `node` is empty if the gateway carries the connection and does not name it. */
  | { type: "connected"; node: string }
  /** The socket was moved in `tookMs`, unseen by its user, who sent `heldBytes` meanwhile. */
  | { type: "moved"; from: string; to: string; tookMs: number; heldBytes: number }
  /** All gateways were tried; they are tried again in `retryInMs`. */
  | { type: "failed"; retryInMs: number }
  /** The socket is closed; its user gets the close event too. */
  | { type: "disconnected"; node: string; code: number; reason: string };

/** A class with the browser's WebSocket interface, of which the connections are made. */
export type Transport = new (url: string, protocols: string[]) => WebSocket;

export interface Options {
  /** Gateways, in place of the URL that the constructor is given; several are tried in random order. */
  gateways?: string | readonly string[];
  /** Affinity key: under a hashing policy sockets with one key meet on one node. */
  key?: string;
  /** The time for connecting, after which the socket is closed with 1006. Waits that servers ask for do not count. */
  connectTimeoutMs?: number;
  /** The deadline of a request to a gateway, and of a handshake with a node. */
  attemptTimeoutMs?: number;
  /** The deadline of a move, below a ticket's 10 s; after it, the socket is closed with 1012. */
  moveTimeoutMs?: number;
  /** The bytes that may be sent during a move; beyond, the socket is closed with 1012. A move takes milliseconds. */
  heldBytesMax?: number;
  /** Moves that are followed at once; one more each 5 s. Further moves wait for growing pauses; at last the socket is closed with 1012. */
  movesBurst?: number;
  /** The longest first pause between attempts; doubled with each attempt. Pauses are drawn at random from 0 to it. */
  backoffBaseMs?: number;
  /** The longest pause between attempts. */
  backoffCapMs?: number;
  /** Called with each event. */
  onEvent?: (event: RingwayEvent) => void;
  /** In place of the global `WebSocket`, such as npm's `ws` in Node.js. */
  transport?: Transport;
  /** In place of the global `fetch`. */
  fetch?: typeof fetch;
  /** In place of `Math.random`: uniform in 0 to 1, without 1. */
  random?: () => number;
}

/** The options of one socket, complete. */
export interface Settings extends Required<Omit<Options, "gateways" | "key" | "onEvent">> {
  gateways: string[];
  key: string;
  onEvent: (event: RingwayEvent) => void;
}

/** The longest wait that a server can ask for. */
export const WAIT_MAX_MS = 60_000;

/** Complete `options`; the gateways are the gateways of `options`, or `url`. Throw a `TypeError` if there is no transport. */
export function complete(options: Options, url: string): Settings {
  const { gateways = url, ...rest } = options;
  const settings: Settings = {
    key: "",
    connectTimeoutMs: 15_000,
    attemptTimeoutMs: 10_000,
    moveTimeoutMs: 8_000,
    heldBytesMax: 1 << 20,
    movesBurst: 8,
    backoffBaseMs: 500,
    backoffCapMs: 20_000,
    onEvent: () => {},
    transport: globalThis.WebSocket as Transport,
    fetch: (...args) => globalThis.fetch(...args), // it throws if it is called as a method of a different object
    random: Math.random,
    ...rest,
    gateways: typeof gateways === "string" ? [gateways] : [...gateways],
  };
  // Node.js before 22 has no WebSocket: without this, each attempt would fail until the socket is closed
  if (!settings.transport) throw new TypeError("there is no WebSocket here; give the option transport, such as npm's ws");
  return settings;
}
