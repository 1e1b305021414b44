/** The page: a chat, further connections, and the panel beneath. */
import { Beneath } from "./beneath.ts";
import { type Connection, open } from "./connection.ts";
import { Pulse } from "./pulse.ts";
import { ROOMS, channelOf, showRooms } from "./rooms.ts";

const COMPANY = 11; // enough that a node that joins gets a share of them
const me = crypto.getRandomValues(new Uint32Array(2)).join("-");

const beneath = new Beneath();
let pulse: Pulse | undefined;

/** A visitor subscribes to both rooms, and publishes to itself from time to time, so that no node counts it as idle. */
function visitor(number: number): Connection {
  const connection = open((one, event) => beneath.heard(one, event, pulse));
  beneath.add(connection, false);
  for (const room of ROOMS) connection.client.newSubscription(channelOf(room)).subscribe();
  connection.client.newSubscription("demo:visitors").subscribe();
  const own = connection.client.newSubscription(`demo:visitor-${me}-${number}`);
  own.subscribe();
  const talking = setInterval(() => own.state === "subscribed" && own.publish(number).catch(() => {}), 2000);
  connection.client.on("disconnected", () => clearInterval(talking));
  connection.client.connect();
  return connection;
}

const company: Connection[] = [];

function invite(count: number): void {
  while (company.length < count) company.push(visitor(company.length));
  while (company.length > count) {
    const leaver = company.pop()!;
    leaver.client.disconnect();
    beneath.remove(leaver);
  }
  for (const button of document.querySelectorAll<HTMLElement>("[data-company]")) {
    button.setAttribute("aria-pressed", String(Number(button.dataset["company"]) === count));
  }
}

for (const button of document.querySelectorAll<HTMLElement>("[data-company]")) {
  button.addEventListener("click", () => invite(Number(button.dataset["company"])));
}

const chat = open((one, event) => beneath.heard(one, event, pulse));
beneath.add(chat, true);
showRooms(chat.client, me);
pulse = new Pulse(chat.client, `demo:pulse-${me}`, document.getElementById("pulse") as HTMLCanvasElement);
chat.client.connect();
invite(COMPANY);

const drawn = pulse;
setInterval(() => beneath.tick(drawn), 1000);
setInterval(() => drawn.draw(), 250);
