/** The panel beneath the chat: its node, the nodes of the page's other connections, and their moves. */
import type { RingwayEvent } from "../../../clients/typescript/src/index.ts";
import type { Connection } from "./connection.ts";
import type { Pulse } from "./pulse.ts";

const LOG_MAX = 12;

const byId = (id: string) => document.getElementById(id)!;
const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

export class Beneath {
  #chat: Connection | undefined;
  #connections = new Set<Connection>();
  #nodes = new Set<string>(); // also nodes without connections by now
  #openSince = 0;
  #moves = 0;
  #disconnects = 0;

  /** Show `connection` too; the chat's own connection is the subject of the panel. */
  add(connection: Connection, isChat: boolean): void {
    this.#connections.add(connection);
    if (isChat) this.#chat = connection;
  }

  remove(connection: Connection): void {
    this.#connections.delete(connection);
    this.#showNodes();
  }

  heard(connection: Connection, event: RingwayEvent, pulse: Pulse | undefined): void {
    const isChat = connection === this.#chat;
    if (event.type === "moved") {
      this.#log(event, isChat);
      if (isChat) {
        this.#moves++;
        pulse?.moved();
      }
    } else if (isChat && event.type === "connected") {
      this.#openSince = Date.now();
    } else if (isChat && event.type === "disconnected") {
      this.#disconnects++;
      this.#openSince = 0;
    }
    if (isChat) this.#showChat();
    this.#showNodes();
  }

  /** Update the panel; call it once a second. */
  tick(pulse: Pulse): void {
    const seconds = Math.floor((Date.now() - this.#openSince) / 1000);
    const parts = seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min`;
    byId("open").textContent = this.#openSince ? parts : "–";
    const count = (number: number) => number.toLocaleString();
    byId("counted").textContent = pulse.sent
      ? `${count(pulse.sent)} sent, ${count(pulse.missing)} missing, slowest ${pulse.slowestMs.toFixed(0)} ms`
      : "–";
  }

  #showChat(): void {
    const node = this.#chat?.node ?? "";
    byId("state").classList.toggle("up", !!node);
    byId("served").replaceChildren(...(node ? ["Served by ", strong(node)] : ["Connecting…"]));
    byId("moves").textContent = String(this.#moves);
    byId("disconnects").textContent = String(this.#disconnects);
    if (node) byId("drain").textContent = `ringway drain ${node}`;
  }

  #showNodes(): void {
    const counts = new Map<string, number>();
    for (const { node } of this.#connections) {
      if (!node) continue;
      this.#nodes.add(node);
      counts.set(node, (counts.get(node) ?? 0) + 1);
    }
    const most = Math.max(1, ...counts.values());
    const byName = [...this.#nodes].sort((a, b) => a.localeCompare(b, undefined, { numeric: true }));
    byId("nodes").replaceChildren(
      ...byName.map((node) => {
        const count = counts.get(node) ?? 0;
        const here = node === this.#chat?.node;
        const item = document.createElement("li");
        item.className = here ? "here" : "";
        const track = document.createElement("span");
        track.className = "track";
        const bar = document.createElement("i");
        bar.style.width = `${(100 * count) / most}%`;
        track.append(bar);
        item.append(span("label", node), track, span("count", String(count)));
        if (here) item.title = "the chat is among them";
        return item;
      }),
    );
  }

  #log({ from, to, tookMs }: Extract<RingwayEvent, { type: "moved" }>, isChat: boolean): void {
    const list = byId("log");
    list.querySelector(".quiet")?.remove();
    const item = document.createElement("li");
    const time = document.createElement("time");
    time.textContent = clock.format(Date.now());
    item.className = isChat ? "chat-moved" : "";
    item.append(time, span("way", `${from} → ${to}`), span("who", isChat ? "chat" : "visitor"), span("ms", `${tookMs} ms`));
    list.prepend(item);
    while (list.children.length > LOG_MAX) list.lastElementChild!.remove();
  }
}

function span(className: string, content: string): HTMLElement {
  const made = document.createElement("span");
  made.className = className;
  made.textContent = content;
  return made;
}

function strong(content: string): HTMLElement {
  const made = document.createElement("strong");
  made.textContent = content;
  return made;
}
