/**
 * A connection as its user sees it, over several WebSockets in turn: each move replaces the WebSocket by a new one
 * (PROTOCOL.md P-7.7 to P-7.12).
 *
 * A browser answers a close frame by itself, in a different process, and drops messages that a page sends after that.
 * Neither `readyState` nor `bufferedAmount` shows which messages were sent. So the node's last message is
 * `<mark> move <node> <ticket>`, and the page closes: its messages before `close()` arrive before the close frame.
 */
import { type Dial, connect, follow } from "./connect.js";
import { withQuery } from "./gateway.js";
import type { Settings } from "./options.js";
import * as pause from "./pause.js";

export type Data = string | Blob | BufferSource;

/** The user of a wire. */
export interface Face {
  opened(): void;
  received(event: MessageEvent): void;
  erred(): void;
  /** The connection is over. Called once. */
  closed(code: number, reason: string, wasClean: boolean): void;
}

interface Move {
  from: string;
  beganAt: number;
  held: Data[];
  bytes: number;
}

const MOVE = /^ move ([A-Za-z0-9][A-Za-z0-9._-]{0,62}) ([A-Za-z0-9_=-]{44})$/;
const NORMAL = 1000;
const ABNORMAL = 1006;
const RESTART = 1012;

export class Wire {
  node = "";
  #socket: WebSocket | undefined;
  #binaryType: BinaryType = "blob";
  #gateway = ""; // the gateway that named the present node
  #mark = ""; // empty if the server does not move clients
  #move: Move | undefined; // only while a move is under way
  #closing: [code: number | undefined, reason: string | undefined] | undefined; // the user's arguments of `close`
  #giveUp = new AbortController();
  readonly #pace: pause.Pace;
  readonly #face: Face;
  readonly #settings: Settings;
  readonly #protocols: string[];

  constructor(face: Face, settings: Settings, protocols: string[]) {
    this.#face = face;
    this.#settings = settings;
    this.#pace = new pause.Pace(settings);
    this.#protocols = protocols;
  }

  get protocol(): string {
    return this.#socket?.protocol ?? "";
  }

  get extensions(): string {
    return this.#socket?.extensions ?? "";
  }

  get bufferedAmount(): number {
    return (this.#socket?.bufferedAmount ?? 0) + (this.#move?.bytes ?? 0);
  }

  set binaryType(type: BinaryType) {
    this.#binaryType = type;
    if (this.#socket) this.#socket.binaryType = type;
  }

  /** Connect; the face gets the outcome. */
  async open(): Promise<void> {
    if (await connect(this.#settings, this.#dial, this.#giveUp.signal)) return;
    this.#face.erred();
    this.#face.closed(ABNORMAL, "", false);
  }

  /** Send; during a move hold the data, and give up the move if too much is held. */
  send(data: Data): void {
    const move = this.#move;
    if (!move) return this.#socket?.send(data);
    move.bytes += sizeOf(data);
    if (move.bytes > this.#settings.heldBytesMax) this.#giveUp.abort();
    else move.held.push(copyOf(data));
  }

  /** Begin to close. Data that was sent before is still delivered, also during a move. */
  close(code?: number, reason?: string): void {
    this.#closing = [code, reason];
    if (!this.#socket) this.#giveUp.abort();
    else if (!this.#move) closeWith(this.#socket, this.#closing);
  }

  readonly #dial: Dial = (gateway, place, query, timeoutMs) =>
    new Promise((resolve) => {
      const { signal } = this.#giveUp;
      if (signal.aborted) return resolve(false);
      let socket: WebSocket;
      try {
        socket = new this.#settings.transport(withQuery(place.url, query), this.#protocols);
      } catch {
        return resolve(false); // a page that came by https may not connect to ws
      }
      const done = (opened: boolean) => {
        clearTimeout(timer);
        signal.removeEventListener("abort", fail);
        if (!opened) letGo(socket).close();
        resolve(opened);
      };
      const fail = () => done(false);
      const timer = setTimeout(fail, timeoutMs);
      signal.addEventListener("abort", fail);
      socket.binaryType = this.#binaryType;
      socket.onerror = () => {}; // the close event that follows says as much
      socket.onclose = fail;
      // No turn of the loop may come between: the first message, and a send of the user, need the complete state.
      socket.onopen = () => done(this.#adopt(socket, gateway, place.node, query["moves"] ?? ""));
    });

  /** Make `socket`, which is open, the present WebSocket. */
  #adopt(socket: WebSocket, gateway: string, node: string, mark: string): boolean {
    const move = this.#move;
    if (move && socket.protocol !== this.protocol) {
      this.#giveUp.abort(); // not the user's subprotocol
      return false;
    }
    this.#socket = socket;
    this.#gateway = gateway; // the signal of a move may come in this very turn
    this.#mark = mark;
    this.node = node;
    socket.onmessage = (event) => this.#received(event);
    socket.onerror = () => this.#face.erred();
    socket.onclose = ({ code, reason, wasClean }) => this.#end(code, reason, wasClean);
    if (!move) {
      this.#settings.onEvent({ type: "connected", node });
      this.#face.opened();
      return true;
    }
    this.#move = undefined;
    for (const data of move.held) socket.send(data);
    if (this.#closing) closeWith(socket, this.#closing);
    const { from, beganAt, bytes: heldBytes } = move;
    this.#settings.onEvent({ type: "moved", from, to: node, tookMs: Date.now() - beganAt, heldBytes });
    return true;
  }

  #received(event: MessageEvent): void {
    const { data } = event;
    if (this.#closing) return;
    if (this.#mark && typeof data === "string" && data.startsWith(this.#mark)) {
      const [, node, ticket] = MOVE.exec(data.slice(this.#mark.length)) ?? [];
      if (node && ticket) return void this.#follow(node, ticket);
    }
    this.#face.received(event);
  }

  async #follow(node: string, ticket: string): Promise<void> {
    const { signal } = this.#giveUp;
    this.#move = { from: this.node, beganAt: Date.now(), held: [], bytes: 0 };
    letGo(this.#socket!).close(NORMAL, this.#mark);
    const pauseMs = this.#pace.next();
    if (pauseMs === undefined) return this.#end(RESTART, "", true);
    const timer = setTimeout(() => this.#giveUp.abort(), this.#settings.moveTimeoutMs);
    await pause.sleep(pauseMs, signal);
    const resumed =
      !signal.aborted && (await follow(this.#settings, this.#gateway, { node, ticket }, this.#dial, signal));
    clearTimeout(timer);
    if (!resumed) this.#end(RESTART, "", true);
  }

  #end(code: number, reason: string, wasClean: boolean): void {
    if (!this.#closing && pause.mayReturn(code)) pause.lost(this.#settings, this.#gateway);
    this.#settings.onEvent({ type: "disconnected", node: this.node, code, reason });
    this.#face.closed(code, reason, wasClean);
  }
}

/** Stop listening to `socket`. */
function letGo(socket: WebSocket): WebSocket {
  socket.onopen = socket.onmessage = socket.onclose = null;
  socket.onerror = () => {}; // npm's ws throws an error that has no listener
  return socket;
}

function closeWith(socket: WebSocket, [code, reason]: [number | undefined, string | undefined]): void {
  if (code === undefined && reason === undefined) socket.close();
  else socket.close(code ?? NORMAL, reason);
}

/** A copy of `data`: its owner may overwrite a buffer after sending it. */
function copyOf(data: Data): Data {
  if (data instanceof ArrayBuffer) return data.slice(0);
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
  return data;
}

/** The number of bytes of `data` on the wire. */
export function sizeOf(data: Data): number {
  if (typeof data === "string") return new TextEncoder().encode(data).length;
  return data instanceof Blob ? data.size : data.byteLength;
}
