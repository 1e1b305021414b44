// How long the official JavaScript SDK pauses before each attempt to reconnect: `node backoff.mjs SHARE`, where SHARE
// stands in for chance (0 to 1). Prints the pauses in milliseconds, the first after an established connection was lost.
import { Centrifuge } from 'centrifuge';

const COMMAND_TIMEOUT_MS = 4321; // told apart from the pauses by its odd length
const later = globalThis.setTimeout;
const pauses = [];
const sockets = [];
let lost = false;

Math.random = () => Number(process.argv[2]);
globalThis.setTimeout = (call, delay, ...rest) => {
  if (lost && delay !== COMMAND_TIMEOUT_MS) pauses.push(delay);
  return later(call, lost ? 0 : delay, ...rest);
};

class Socket {
  constructor() {
    sockets.push(this);
    queueMicrotask(() => (lost ? this.onclose({ code: 1006, reason: '' }) : this.onopen()));
  }
  send(data) {
    const { id, connect } = JSON.parse(data.split('\n')[0]);
    if (connect) queueMicrotask(() => this.onmessage({ data: JSON.stringify({ id, connect: { client: 'c' } }) }));
  }
  close() {}
}

const client = new Centrifuge('ws://nobody.invalid/', { websocket: Socket, timeout: COMMAND_TIMEOUT_MS });
client.on('connected', () => {
  lost = true;
  sockets[0].onclose({ code: 1006, reason: '' });
});
client.connect();
later(() => {
  console.log(JSON.stringify(pauses.slice(0, 7)));
  process.exit(0);
}, 300);
