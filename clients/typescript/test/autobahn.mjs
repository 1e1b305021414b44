// RingwaySocket as a client of Autobahn's fuzzing server: `node autobahn.mjs URL AGENT PARALLEL` echoes in every case.
import { RingwaySocket } from "../dist/ringway.min.js";
import WebSocket from "ws";

const [url, agent, parallel] = process.argv.slice(2);
const Socket = RingwaySocket.with({ transport: WebSocket, connectTimeoutMs: 60_000 });

/** Open `path` and echo until it is over; resolves to the last message that was not echoed. */
function run(path, echo) {
  return new Promise((resolve) => {
    let last;
    const socket = new Socket(url + path);
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => (echo ? socket.send(data) : (last = data));
    socket.onclose = () => resolve(last);
  });
}

const count = Number(await run("/getCaseCount", false));
let next = 1;
async function work() {
  while (next <= count) await run(`/runCase?case=${next++}&agent=${agent}`, true);
}
await Promise.all(Array.from({ length: Number(parallel) }, work));
await run(`/updateReports?agent=${agent}`, false);
