/** What a socket can be told; each with its unit, bound and reason. */

/** What happens beneath a socket, for programs that show it. */
export type RingwayEvent =
  /** The socket is open. `node` is empty where the gateway carries the connection and does not say. */
  | { type: "connected"; node: string }
  /** The socket was moved, and its user saw nothing: `heldBytes` were sent by it meanwhile, in `tookMs`. */
  | { type: "moved"; from: string; to: string; tookMs: number; heldBytes: number }
  /** All gateways were tried; they are tried again in `retryInMs`. */
  | { type: "failed"; retryInMs: number }
  /** The socket is closed, as its user is told too. */
  | { type: "disconnected"; node: string; code: number; reason: string };

/** A class with the browser's WebSocket interface: what the connections are made with. */
export type Transport = new (url: string, protocols: string[]) => WebSocket;

export interface Options {
  /** Where to connect, in place of the URL that the constructor is given; several are tried in random order. */
  gateways?: string | readonly string[];
  /** Affinity key: under a hashing policy sockets with one key meet on one node. */
  key?: string;
  /** How long connecting tries before the socket is closed with 1006. Waits that servers ask for do not count. */
  connectTimeoutMs?: number;
  /** One question to a gateway; one handshake with a node. */
  attemptTimeoutMs?: number;
  /** From the signal of a move to the open connection; beyond, the socket is closed with 1012. Below a ticket's 10 s. */
  moveTimeoutMs?: number;
  /** What may be sent during a move; beyond, the socket is closed with 1012. A move takes milliseconds. */
  heldBytesMax?: number;
  /** Moves that are followed at once; one more each 5 s. Beyond, after growing pauses, and in the end the socket is closed with 1012. */
  movesBurst?: number;
  /** The first pause between attempts is drawn from 0 to this; doubled with each. */
  backoffBaseMs?: number;
  /** No pause is drawn from beyond this. */
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

/** Nothing that a server asks for is waited longer than this. */
export const WAIT_MAX_MS = 60_000;

/** Fill `options` up; the gateways are those of `options`, or `url`. Throw a `TypeError` where there is no transport. */
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
    fetch: (...args) => globalThis.fetch(...args), // called as a method of anything else it throws
    random: Math.random,
    ...rest,
    gateways: typeof gateways === "string" ? [gateways] : [...gateways],
  };
  // Node.js before 22 has no WebSocket: without this, each attempt would fail until the socket is closed
  if (!settings.transport) throw new TypeError("there is no WebSocket here; give the option transport, such as npm's ws");
  return settings;
}
