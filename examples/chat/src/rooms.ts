/** Two rooms, and their messages. */
import type { Centrifuge, Subscription } from "centrifuge";

const KEPT_MAX = 200;

interface Said {
  id: string;
  name: string;
  text: string;
  at: number;
}

interface Room {
  subscription: Subscription;
  said: Said[];
  unread: number;
  button: HTMLButtonElement;
}

const byId = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

export const channelOf = (room: string) => `demo:${room}`;
export const ROOMS = ["kitchen", "garden"];

/** Show the rooms over `client`; `me` marks the user's own messages. */
export function showRooms(client: Centrifuge, me: string): void {
  const rooms = new Map<string, Room>();
  const list = byId<HTMLOListElement>("messages");
  const text = byId<HTMLInputElement>("text");
  const name = byId<HTMLInputElement>("name");
  let present = ROOMS[0]!;

  name.value = localStorage.getItem("name") ?? `Guest ${Math.floor(Math.random() * 90) + 10}`;
  name.addEventListener("change", () => localStorage.setItem("name", name.value));

  for (const button of document.querySelectorAll<HTMLButtonElement>("[data-room]")) {
    const title = button.dataset["room"]!;
    const subscription = client.newSubscription(channelOf(title));
    const room: Room = { subscription, said: [], unread: 0, button };
    rooms.set(title, room);
    subscription.on("publication", ({ data }) => {
      room.said.push(data as Said);
      if (room.said.length > KEPT_MAX) room.said.shift();
      if (title === present) add(data as Said);
      else room.unread++;
      label(room);
    });
    subscription.subscribe();
    button.addEventListener("click", () => enter(title));
  }

  function label({ unread, button }: Room): void {
    const badge = button.querySelector<HTMLElement>(".unread")!;
    badge.hidden = !unread;
    badge.textContent = String(unread);
    badge.setAttribute("aria-label", `${unread} unread`);
  }

  function enter(title: string): void {
    present = title;
    for (const [each, { button }] of rooms) button.setAttribute("aria-pressed", String(each === title));
    const room = rooms.get(title)!;
    room.unread = 0;
    label(room);
    list.replaceChildren();
    if (room.said.length) room.said.forEach(add);
    else list.append(element("li", "empty", `Nobody has said anything in the ${title} yet.`));
  }

  function add(said: Said): void {
    list.querySelector(".empty")?.remove();
    const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    const mine = said.id === me;
    const item = element("li", mine ? "mine" : "");
    const before = list.lastElementChild as HTMLElement | null;
    if (before?.dataset["from"] !== said.id) {
      item.append(element("p", "who", `${mine ? "You" : said.name} · ${clock.format(said.at)}`));
    }
    item.dataset["from"] = said.id;
    item.append(element("p", "said", said.text));
    list.append(item);
    if (atEnd || mine) list.scrollTop = list.scrollHeight;
  }

  byId<HTMLFormElement>("form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!text.value.trim()) return;
    const said: Said = { id: me, name: name.value.trim() || "Somebody", text: text.value.trim(), at: Date.now() };
    text.value = "";
    rooms.get(present)!.subscription.publish(said).catch(() => {
      add(said);
      list.lastElementChild!.classList.add("failed");
      list.lastElementChild!.append(element("p", "who", "Not sent; say it again."));
    });
  });

  new ResizeObserver(() => (list.scrollTop = list.scrollHeight)).observe(list); // for example when a phone shows its keyboard
  enter(present);
}

function element(tag: string, className: string, content = ""): HTMLElement {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = content;
  return made;
}
