/** `RingwaySocket`: the browser's WebSocket interface over a `Wire`. */
import { type Options, complete } from "./options.js";
import { type Data, Wire, sizeOf } from "./wire.js";

const CONNECTING = 0;
const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;

const EVENTS = ["open", "message", "error", "close"] as const;
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const REASON_BYTES_MAX = 123;

type Handler<E extends Event = Event> = ((this: WebSocket, event: E) => unknown) | null;

/** Typed by the browser's own events. */
export interface RingwaySocket {
  onopen: Handler;
  onmessage: Handler<MessageEvent>;
  onerror: Handler;
  onclose: Handler<CloseEvent>;
  addEventListener<K extends keyof WebSocketEventMap>(
    type: K,
    listener: (this: WebSocket, event: WebSocketEventMap[K]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<K extends keyof WebSocketEventMap>(
    type: K,
    listener: (this: WebSocket, event: WebSocketEventMap[K]) => unknown,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions,
  ): void;
}

/**
 * A WebSocket that is placed by a Ringway gateway and follows moves, unseen by its user.
 *
 * `http(s)://` names a gateway, which is asked for a node; `ws(s)://` is connected to as it is. Arguments, errors, events
 * and their order follow the HTML standard, with one difference: connecting goes on, with pauses and by all gateways, for
 * `connectTimeoutMs` before the socket is closed with 1006.
 */
export class RingwaySocket extends EventTarget implements WebSocket {
  static readonly CONNECTING = CONNECTING;
  static readonly OPEN = OPEN;
  static readonly CLOSING = CLOSING;
  static readonly CLOSED = CLOSED;
  declare readonly CONNECTING: typeof CONNECTING;
  declare readonly OPEN: typeof OPEN;
  declare readonly CLOSING: typeof CLOSING;
  declare readonly CLOSED: typeof CLOSED;

  /** Options of the sockets of this class. */
  static readonly options: Options = {};

  /** Return a class with `options`, for libraries that accept a WebSocket class. */
  static with(options: Options): typeof RingwaySocket {
    const all = { ...this.options, ...options };
    return class extends this {
      static override readonly options = all;
    };
  }

  /** The URL that the constructor was given, complete. */
  readonly url: string;
  #wire: Wire;
  #state: 0 | 1 | 2 | 3 = CONNECTING;
  #binaryType: BinaryType = "blob";
  #dropped = 0; // bytes that were sent after the close

  constructor(url: string | URL, protocols: string | string[] = []) {
    super();
    const list = typeof protocols === "string" ? [protocols] : [...protocols];
    if (new Set(list.map((one) => one.toLowerCase())).size < list.length || !list.every((one) => TOKEN.test(one))) {
      throw new DOMException(`the subprotocols ${list} must be distinct tokens`, "SyntaxError");
    }
    this.url = checked(url);
    const settings = complete((this.constructor as typeof RingwaySocket).options, this.url);
    settings.gateways = settings.gateways.map(checked);
    this.#wire = new Wire(
      {
        opened: () => {
          this.#state = OPEN;
          this.dispatchEvent(new Event("open"));
        },
        received: ({ data, origin }) => {
          if (this.#state === OPEN) this.dispatchEvent(new MessageEvent("message", { data, origin }));
        },
        erred: () => void this.dispatchEvent(new Event("error")),
        closed: (code, reason, wasClean) => {
          this.#state = CLOSED;
          this.dispatchEvent(new Close("close", { code, reason, wasClean }));
        },
      },
      settings,
      list,
    );
    queueMicrotask(() => this.#wire.open()); // the user must have set its handlers first
  }

  get readyState(): 0 | 1 | 2 | 3 {
    return this.#state;
  }

  get protocol(): string {
    return this.#wire.protocol;
  }

  get extensions(): string {
    return this.#wire.extensions;
  }

  get bufferedAmount(): number {
    return this.#wire.bufferedAmount + this.#dropped;
  }

  get binaryType(): BinaryType {
    return this.#binaryType;
  }

  set binaryType(type: BinaryType) {
    if (type !== "blob" && type !== "arraybuffer") return; // as a browser does
    this.#wire.binaryType = this.#binaryType = type;
  }

  /** The node that serves the socket; empty if it is not known. */
  get node(): string {
    return this.#wire.node;
  }

  send(data: Data): void {
    if (this.#state === CONNECTING) {
      throw new DOMException("the socket is not open yet; wait for its open event", "InvalidStateError");
    }
    if (!(data instanceof Blob || data instanceof ArrayBuffer || ArrayBuffer.isView(data))) data = String(data);
    if (this.#state === OPEN) this.#wire.send(data);
    else this.#dropped += sizeOf(data);
  }

  close(code?: number, reason?: string): void {
    if (code !== undefined && code !== 1000 && !(code >= 3000 && code <= 4999)) {
      throw new DOMException(`the close code ${code} may not be sent; give 1000 or 3000 to 4999`, "InvalidAccessError");
    }
    if (reason !== undefined && sizeOf(String(reason)) > REASON_BYTES_MAX) {
      throw new DOMException(`a close reason has at most ${REASON_BYTES_MAX} bytes`, "SyntaxError");
    }
    if (this.#state >= CLOSING) return;
    this.#state = CLOSING;
    this.#wire.close(code, reason);
  }
}

for (const [name, value] of Object.entries({ CONNECTING, OPEN, CLOSING, CLOSED })) {
  Object.defineProperty(RingwaySocket.prototype, name, { value, enumerable: true });
}

for (const type of EVENTS) {
  const handlers = new WeakMap<RingwaySocket, { handler: unknown }>();
  Object.defineProperty(RingwaySocket.prototype, `on${type}`, {
    enumerable: true,
    configurable: true,
    get(this: RingwaySocket) {
      return handlers.get(this)?.handler ?? null;
    },
    set(this: RingwaySocket, handler: unknown) {
      if (typeof handler !== "function") handler = null;
      const known = handlers.get(this);
      if (known) known.handler = handler; // in its place among the listeners, as the HTML standard has it
      else if (handler) {
        const entry = { handler };
        handlers.set(this, entry);
        this.addEventListener(type, (event) => (entry.handler as Handler | null)?.call(this as WebSocket, event));
      }
    },
  });
}

/** Node.js has this class from version 23 on. */
const Close: typeof CloseEvent =
  globalThis.CloseEvent ??
  (class extends Event {
    readonly code: number;
    readonly reason: string;
    readonly wasClean: boolean;
    constructor(type: string, { code = 0, reason = "", wasClean = false }: CloseEventInit) {
      super(type);
      this.code = code;
      this.reason = reason;
      this.wasClean = wasClean;
    }
  } as unknown as typeof CloseEvent);

function checked(url: string | URL): string {
  let parsed: URL;
  try {
    parsed = new URL(url, globalThis.location?.href);
  } catch {
    throw new DOMException(`the URL '${url}' cannot be read`, "SyntaxError");
  }
  if (!/^(https?|wss?):$/.test(parsed.protocol) || parsed.href.includes("#")) {
    throw new DOMException(`the URL '${url}' must begin with http, https, ws or wss, and have no fragment`, "SyntaxError");
  }
  return parsed.href;
}
