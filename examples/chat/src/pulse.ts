/** Messages that the page sends to itself, as a strip of the last minute: the height of each is its delay. */
import type { Centrifuge } from "centrifuge";

const EVERY_MS = 250;
const SHOWN_MS = 60_000;
const LOST_MS = 5_000;

interface Beat {
  sentAt: number;
  tookMs?: number;
}

export class Pulse {
  sent = 0;
  received = 0;
  slowestMs = 0;
  #beats = new Map<number, Beat>();
  #moves: number[] = [];
  #canvas: HTMLCanvasElement;

  constructor(client: Centrifuge, channel: string, canvas: HTMLCanvasElement) {
    this.#canvas = canvas;
    const subscription = client.newSubscription(channel);
    subscription.on("publication", ({ data }) => this.#back(data as number));
    subscription.subscribe();
    setInterval(() => {
      if (subscription.state !== "subscribed") return;
      const number = this.sent++;
      this.#beats.set(number, { sentAt: performance.now() });
      subscription.publish(number).catch(() => {}); // a message that does not come back is counted as missing
    }, EVERY_MS);
  }

  /** The number of messages that were sent more than five seconds ago, and have not come back. */
  get missing(): number {
    const now = performance.now();
    return [...this.#beats.values()].filter((beat) => beat.tookMs === undefined && now - beat.sentAt > LOST_MS).length;
  }

  moved(): void {
    this.#moves.push(performance.now());
  }

  #back(number: number): void {
    const beat = this.#beats.get(number);
    if (!beat || beat.tookMs !== undefined) return;
    beat.tookMs = performance.now() - beat.sentAt;
    this.received++;
    this.slowestMs = Math.max(this.slowestMs, beat.tookMs);
  }

  draw(): void {
    const now = performance.now();
    for (const [number, beat] of this.#beats) {
      if (beat.tookMs !== undefined && now - beat.sentAt > SHOWN_MS) this.#beats.delete(number);
    }
    this.#moves = this.#moves.filter((at) => now - at < SHOWN_MS);
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const scale = devicePixelRatio;
    this.#canvas.width = width * scale;
    this.#canvas.height = height * scale;
    const pen = this.#canvas.getContext("2d")!;
    pen.scale(scale, scale);
    const colour = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name);
    const x = (at: number) => width - ((now - at) / SHOWN_MS) * width;
    pen.fillStyle = colour("--line");
    pen.fillRect(0, height - 1, width, 1);
    pen.fillStyle = colour("--warn");
    for (const at of this.#moves) pen.fillRect(x(at) - 0.75, 0, 1.5, height - 1);
    for (const { sentAt, tookMs } of this.#beats.values()) {
      const late = tookMs === undefined && now - sentAt > LOST_MS;
      if (tookMs === undefined && !late) continue;
      const tall = late ? height - 4 : Math.min(height - 4, 3 + 12 * Math.log2(1 + (tookMs ?? 0) / 4));
      pen.fillStyle = colour(late ? "--warn" : "--accent");
      pen.fillRect(x(sentAt) - 0.75, height - 1 - tall, 1.5, tall);
    }
  }
}
