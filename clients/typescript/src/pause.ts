/**
 * When the next attempt is due (PROTOCOL.md P-7.12).
 *
 * Libraries make a new socket for each attempt of theirs. So what a gateway said outlives the socket: over how long to
 * spread a reconnect, how long to stay away, and the slot that was being waited for.
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

/** Remember over how long `gateway` wants reconnects spread. */
export function learn(gateway: string, windowMs: number): void {
  of(gateway).windowMs = windowMs;
}

/** Ask `gateway` nothing for `ms`. */
export function stayAway(gateway: string, ms: number): void {
  of(gateway).notBefore = Date.now() + ms;
}

/** A connection that `gateway` led to was lost without a move: spread the next one over its window. */
export function lost(settings: Settings, gateway: string): void {
  const { windowMs } = of(gateway);
  if (!windowMs) return;
  const ms = settings.random() * windowMs;
  for (const each of settings.gateways) stayAway(each, ms);
}

/** How long from now on nobody is to be asked. */
export function due(gateways: string[]): number {
  return Math.max(0, ...gateways.map((gateway) => of(gateway).notBefore - Date.now()));
}

/** Leave `placement`, whose time has not come, to the next socket. */
export function leave(settings: Settings, gateway: string, placement: Placement): void {
  slots.set(`${gateway} ${settings.key}`, placement);
}

/** The placement that a socket before this one left, if it is still good. */
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

/** Moves that are followed after a pause, in a row: the next is not. */
const PAUSES_MAX = 4;

/** No pause before a move is drawn from beyond this: the ticket must be good after it. */
const MOVE_PAUSE_MAX_MS = 4_000;

/** How long it takes until one more move may be followed at once. */
const EARN_MS = 5_000;

/** How soon a socket follows its next move: a server that moves it again and again does not set the speed. */
export class Pace {
  readonly #settings: Settings;
  #free: number;
  #at = Date.now();
  #paused = 0;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#free = settings.movesBurst;
  }

  /** How long to pause before the next move is followed; nothing where it is not to be. */
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

/** `items` in random order. One alone costs no draw. */
export function shuffled<T>(items: T[], random: () => number): T[] {
  if (items.length < 2) return items;
  const drawn = items.map((item) => [random(), item] as const);
  return drawn.sort((a, b) => a[0] - b[0]).map(([, item]) => item);
}

/** Wait for `ms`, or until `signal`. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (!(ms > 0) || signal.aborted) return resolve(); // a timer of nothing takes a second in a hidden page
    const wake = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", wake);
      resolve();
    };
    const timer = setTimeout(wake, ms);
    signal.addEventListener("abort", wake);
  });
}

/** Whether a close lets its receiver come back (PROTOCOL.md P-6). */
export const mayReturn = (code: number): boolean =>
  code < 3000 ? ![1000, 1002, 1003, 1007, 1009].includes(code) : code % 1000 < 500;
