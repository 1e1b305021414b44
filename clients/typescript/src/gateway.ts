/** Requests to a gateway for a node: `GET /gateway` (PROTOCOL.md P-3). */
import { type Settings, WAIT_MAX_MS } from "./options.js";

/** A node to connect to. `url` is used as it is. */
export interface Place {
  url: string;
  node: string;
}

/** An answer: the places to try, best first, from `dueAt` on and before `endsAt`. */
export interface Placement {
  places: Place[];
  /** Empty if the places are not nodes of Ringway: such servers neither accept tickets nor move their clients. */
  ticket: string;
  dueAt: number;
  endsAt: number;
  windowMs: number;
}

/** An answer without a place: `forGood`, or until `waitMs` are over. */
export interface Refusal {
  forGood: boolean;
  waitMs: number;
}

const UNREACHED: Refusal = { forGood: false, waitMs: 0 };

/** Refusals that a further attempt may not meet. */
const TEMPORARY_4XX = [403, 408, 425, 429];

const WINDOW_MAX_MS = 600_000;

/** True if `url` names a gateway that is asked for a node, rather than a WebSocket. */
export const isAsked = (url: string): boolean => url.startsWith("http");

/** `url` with `items` of a query behind its own; empty items are left out. The present query is not changed. */
export function withQuery(url: string, items: Record<string, string>): string {
  const query = Object.entries(items)
    .filter(([, value]) => value)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return query.length ? url + (url.includes("?") ? "&" : "?") + query.join("&") : url;
}

/** Ask `gateway` within `timeoutMs`; `query` names the node and ticket of a move. `signal` cancels the request. */
export async function ask(
  settings: Settings,
  gateway: string,
  query: Record<string, string>,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Placement | Refusal> {
  const { key } = settings;
  const keyed = (url: string) => (/[?&]key=/.test(url) ? url : withQuery(url, { key }));
  if (!isAsked(gateway)) {
    const places = [{ url: keyed(gateway), node: "" }];
    return { places, ticket: "", dueAt: 0, endsAt: 0, windowMs: 0 };
  }
  const [base = "", own] = gateway.split("?");
  const url = withQuery(base.replace(/\/*$/, "/gateway") + (own ? `?${own}` : ""), { key, ...query });
  const control = new AbortController();
  const stop = () => control.abort();
  const timer = setTimeout(stop, timeoutMs);
  signal.addEventListener("abort", stop);
  try {
    const answer = await settings.fetch(url, { signal: control.signal, cache: "no-store" });
    if (!answer.ok) return await refusal(answer);
    const body = await answer.json();
    const secure = gateway.startsWith("https:") ? /^wss:/ : /^wss?:/;
    const places: Place[] = [body, ...(body.alternates ?? [])].map((place) => ({
      url: keyed(String(place.url)),
      node: String(place.node ?? ""),
    }));
    if (!places.every((place) => secure.test(place.url))) return UNREACHED;
    return {
      places,
      ticket: String(body.ticket ?? ""),
      dueAt: Date.now() + atMost(WAIT_MAX_MS, body.wait_ms),
      endsAt: Date.now() + (Number(body.expires_in) || 0) * 1000, // includes the wait
      windowMs: atMost(WINDOW_MAX_MS, body.reconnect_window_ms),
    };
  } catch {
    return UNREACHED; // not reached, not in time, or not a valid answer
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}

async function refusal(answer: Response): Promise<Refusal> {
  const { status, headers } = answer;
  const body = await answer.json().catch(() => null); // it may be a proxy's page
  const waitMs = body?.wait_ms || retryAfterMs(headers);
  return { forGood: status < 500 && !TEMPORARY_4XX.includes(status), waitMs: atMost(WAIT_MAX_MS, waitMs) };
}

/** `ms`, but at most `most`; 0 if it is not a positive time. */
const atMost = (most: number, ms: unknown): number => (Number(ms) > 0 ? Math.min(Number(ms), most) : 0);

/** The pause of `Retry-After`, in seconds or as a date; a page of a different origin may not see the header. */
function retryAfterMs(headers: Headers): number {
  const said = headers.get("retry-after") ?? "";
  if (/^\d+$/.test(said)) return Number(said) * 1000;
  const now = dateOf(headers.get("date") ?? ""); // clocks differ: the server's clock counts
  return dateOf(said) - (now || Date.now());
}

/** An HTTP date in any of its three forms, or NaN; one form does not say that it is in GMT. */
const dateOf = (text: string): number =>
  /^[A-Z][a-z]+,? /.test(text) ? Date.parse(/\d{4}$/.test(text) ? `${text} GMT` : text) : NaN;
