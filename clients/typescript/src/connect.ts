/** Connecting: through a gateway to a node, or to the target of a move. */
import { type Place, ask, isAsked } from "./gateway.js";
import type { Settings } from "./options.js";
import * as pause from "./pause.js";

/** Opens a WebSocket at a place that `gateway` named; true when it is open. `query` is appended to the place's query. */
export type Dial = (gateway: string, place: Place, query: Record<string, string>, timeoutMs: number) => Promise<boolean>;

/**
 * A connecting phase: the gateways in random order, and again after a pause, until `signal` or until the settings'
 * time is up. True when a connection is open.
 */
export async function connect(settings: Settings, dial: Dial, signal: AbortSignal): Promise<boolean> {
  const { gateways } = settings;
  if (gateways.length === 1 && !isAsked(gateways[0]!)) return connectAsItIs(settings, gateways[0]!, dial);
  let endsAt = Date.now() + settings.connectTimeoutMs;
  const patience = () => Math.min(settings.attemptTimeoutMs, endsAt - Date.now());
  const wait = async (askedMs: number, ownMs: number) => {
    if (askedMs > 0) endsAt += askedMs; // pauses that servers ask for do not count
    await pause.sleep(askedMs + ownMs, signal);
    return !signal.aborted;
  };
  if (!(await wait(pause.due(gateways), 0))) return false;
  for (let attempt = 0; ; attempt++) {
    let refused = 0;
    for (const gateway of pause.shuffled(gateways, settings.random)) {
      const found = pause.take(settings, gateway) ?? (await ask(settings, gateway, {}, patience(), signal));
      if ("forGood" in found) {
        pause.stayAway(gateway, found.waitMs);
        refused += Number(found.forGood);
        continue;
      }
      pause.learn(gateway, found.windowMs);
      if (!(await wait(found.dueAt - Date.now(), 0))) {
        pause.leave(settings, gateway, found);
        return false;
      }
      for (const place of found.places) {
        const query: Record<string, string> = found.ticket ? { moves: newMark() } : {};
        if (await dial(gateway, place, query, patience() / found.places.length)) return true;
        if (signal.aborted) return false;
      }
    }
    if (signal.aborted || refused === gateways.length) return false;
    const ownMs = pause.backoff(settings, attempt);
    if (Date.now() + ownMs >= endsAt) return false;
    const askedMs = pause.due(gateways);
    settings.onEvent({ type: "failed", retryInMs: askedMs + ownMs });
    if (!(await wait(askedMs, ownMs))) return false;
  }
}

/** A WebSocket's own URL is used as a browser uses it: once. */
async function connectAsItIs(settings: Settings, url: string, dial: Dial): Promise<boolean> {
  const found = await ask(settings, url, {}, 0, new AbortController().signal);
  return "places" in found && dial(url, found.places[0]!, {}, settings.connectTimeoutMs);
}

/** Attempts to resume a session: an overloaded node refuses, and a page cannot see the reason. */
const RESUMES_MAX = 3;

/** Follow a move: ask the gateways for the node's URL, beginning with `first`. True when the session is there. */
export async function follow(
  settings: Settings,
  first: string,
  move: { node: string; ticket: string },
  dial: Dial,
  signal: AbortSignal,
): Promise<boolean> {
  const others = settings.gateways.filter((gateway) => gateway !== first && isAsked(gateway));
  for (const gateway of [first, ...pause.shuffled(others, settings.random)]) {
    const found = await ask(settings, gateway, move, settings.attemptTimeoutMs, signal);
    if (signal.aborted) return false;
    if ("forGood" in found) continue;
    pause.learn(gateway, found.windowMs);
    const place = found.places[0]!;
    if (place.node !== move.node || found.ticket !== move.ticket) return false; // placed anew: the ticket is not valid
    await pause.sleep(found.dueAt - Date.now(), signal);
    for (let attempt = 0; attempt < RESUMES_MAX && !signal.aborted; attempt++) {
      if (attempt) await pause.sleep(pause.backoff(settings, attempt - 1), signal);
      if (await dial(gateway, place, { resume: "1", moves: newMark() }, settings.attemptTimeoutMs)) return true;
    }
    return false;
  }
  return false;
}

/** The mark at the beginning of a node's own messages on one connection: it is secret. */
function newMark(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(10)), (byte) => (byte % 36).toString(36)).join("");
}
