/**
 * Pauses before the next attempt (PROTOCOL.md P-7.12).
 *
 * Libraries make a new socket for each of their attempts. So a gateway's instructions outlive the socket: the window of
 * reconnects, the pause before the next request, and the slot that the socket waited for.
 */
import type { Placement } from "./gateway.js";
import type { Settings } from "./options.js";

interface Known {
  windowMs: number;
  notBefore: number;
}

const known = new Map<string, Known>(); // as many as a program has gateways
const slots = new Map<string, Placement>();

function of(gateway: string): Known {
  let entry = known.get(gateway);
  if (!entry) known.set(gateway, (entry = { windowMs: 0, notBefore: 0 }));
  return entry;
}

/** Store the window over which `gateway` wants reconnects spread. */
export function learn(gateway: string, windowMs: number): void {
  of(gateway).windowMs = windowMs;
}

/** Send no request to `gateway` for `ms`. */
export function stayAway(gateway: string, ms: number): void {
  of(gateway).notBefore = Date.now() + ms;
}

/** A connection that `gateway` led to was lost without a move: spread the next connection over its window. */
export function lost(settings: Settings, gateway: string): void {
  const { windowMs } = of(gateway);
  if (!windowMs) return;
  const ms = settings.random() * windowMs;
  for (const each of settings.gateways) stayAway(each, ms);
}

/** The time from now on without requests to any gateway. */
export function due(gateways: string[]): number {
  return Math.max(0, ...gateways.map((gateway) => of(gateway).notBefore - Date.now()));
}

/** Store `placement`, whose time has not come, for the next socket. */
export function leave(settings: Settings, gateway: string, placement: Placement): void {
  slots.set(`${gateway} ${settings.key}`, placement);
}

/** The placement that an earlier socket stored, if it is still valid. */
export function take(settings: Settings, gateway: string): Placement | undefined {
  const name = `${gateway} ${settings.key}`;
  const slot = slots.get(name);
  slots.delete(name);
  return slot && slot.endsAt > Date.now() ? slot : undefined;
}

/** The pause after attempt number `attempt` (0 is the first): exponential, with full jitter. */
export function backoff(settings: Settings, attempt: number, capMs = settings.backoffCapMs): number {
  return settings.random() * Math.min(capMs, settings.backoffBaseMs * 2 ** attempt);
}

/** Moves in a row that are followed after a pause; the next move is not followed. */
const PAUSES_MAX = 4;

/** The longest pause before a move: the ticket must still be valid after it. */
const MOVE_PAUSE_MAX_MS = 4_000;

/** The time after which one more move may be followed at once. */
const EARN_MS = 5_000;

/** Pace of a socket's moves: a server that moves it again and again does not set the speed. */
export class Pace {
  readonly #settings: Settings;
  #free: number;
  #at = Date.now();
  #paused = 0;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#free = settings.movesBurst;
  }

  /** The pause before the next move is followed; undefined if it must not be followed. */
  next(): number | undefined {
    const now = Date.now();
    this.#free = Math.min(this.#settings.movesBurst, this.#free + Math.max(0, now - this.#at) / EARN_MS);
    this.#at = now;
    if (this.#free >= 1) {
      this.#free--;
      this.#paused = 0;
      return 0;
    }
    return this.#paused === PAUSES_MAX ? undefined : backoff(this.#settings, this.#paused++, MOVE_PAUSE_MAX_MS);
  }
}

/** `items` in random order. A single item costs no draw. */
export function shuffled<T>(items: T[], random: () => number): T[] {
  if (items.length < 2) return items;
  const drawn = items.map((item) => [random(), item] as const);
  return drawn.sort((a, b) => a[0] - b[0]).map(([, item]) => item);
}

/** Wait for `ms`, or until `signal`. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (!(ms > 0) || signal.aborted) return resolve(); // a timer of 0 ms takes a second in a hidden page
    const wake = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", wake);
      resolve();
    };
    const timer = setTimeout(wake, ms);
    signal.addEventListener("abort", wake);
  });
}

/** True if a close lets its receiver come back (PROTOCOL.md P-6). */
export const mayReturn = (code: number): boolean =>
  code < 3000 ? ![1000, 1002, 1003, 1007, 1009].includes(code) : code % 1000 < 500;
