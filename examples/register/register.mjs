// Registers a WebSocket server at a Ringway gateway: keeps the lease, drains on SIGTERM. Node.js 18 or later alone.
//
//     AT=http://gateway:7400 TOKEN=... node register.mjs chat-1 ws://10.0.0.5:9000
//
// Call `register` in the process of your server, or run this beside it.

import { pathToFileURL } from "node:url";

const sleep = (s) => new Promise((done) => setTimeout(done, s * 1000));

export function register({ at, token = "", name, url, ttl_s = 10 }) {
  const life = `${process.pid}-${Date.now()}`; // different in each life of the server
  let pause_s = ttl_s / 3, left = null, stopped = false, registered = false;

  async function call(method, path, body) {
    const answer = await fetch(`${at}/v1/backends/${name}${path}`, {
      method,
      headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(3000),
    });
    const text = await answer.text();
    const said = text ? JSON.parse(text) : {};
    if (!answer.ok) throw Object.assign(new Error(said.error), { status: answer.status });
    return said;
  }

  async function keep() {
    while (!stopped) {
      try {
        const said = registered
          ? await call("POST", "/renew", { incarnation: life })
          : await call("PUT", "", { url, ttl_s, incarnation: life });
        registered = true;
        left = said.left ?? null;
      } catch (error) {
        if (error.status === 404) registered = false; // the lease is over, or the gateway is new
        console.error("ringway:", error.message);
      }
      await sleep(registered ? pause_s : 0.5);
    }
  }

  // Leads the clients away, for at most `within_s`, and ends the registration.
  async function leave(within_s) {
    await call("POST", "/drain", { within_s, force: true });
    pause_s = 0.5;
    left = null;
    for (const end = Date.now() + within_s * 1000; left !== 0 && Date.now() < end; ) await sleep(0.1);
    stopped = true;
    await call("DELETE", `?incarnation=${life}`);
  }
  return { kept: keep(), leave };
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const mine = register({ at: process.env.AT, token: process.env.TOKEN, name: process.argv[2], url: process.argv[3] });
  process.on("SIGTERM", () => mine.leave(20).then(() => process.exit(0)));
}
