// Libraries that take a WebSocket class, over RingwaySocket: `node libraries.mjs LIBRARY GATEWAY COUNT`.
// Each sends COUNT numbers and is sent them back; prints what came, and how often the library saw its connection change.
import { Centrifuge } from 'centrifuge';
import { createClient } from 'graphql-ws';
import ReconnectingWebSocket from 'reconnecting-websocket';
import WebSocket from 'ws';
import { RingwaySocket } from '../../../clients/typescript/dist/index.js';

const [library, gateway, countText] = process.argv.slice(2);
const count = Number(countText);
const moves = [];
const Socket = RingwaySocket.with({
  movesBurst: 1000,
  gateways: gateway,
  transport: WebSocket,
  onEvent: (event) => event.type === 'moved' && moves.push(event),
});
const pause = () => new Promise((done) => setTimeout(done, 5));

const libraries = {
  /** The official SDK: its client connects once, its subscription subscribes once, and no publish fails. */
  async centrifuge(received, changes) {
    const client = new Centrifuge(gateway.replace('http', 'ws'), { websocket: Socket });
    const subscription = client.newSubscription('room');
    for (const state of ['connecting', 'connected', 'disconnected', 'error']) client.on(state, () => changes.push(state));
    for (const state of ['subscribing', 'subscribed', 'unsubscribed', 'error']) subscription.on(state, () => changes.push(state));
    subscription.on('publication', ({ data }) => received.push(data.n));
    subscription.subscribe();
    client.connect();
    await subscription.ready(10000);
    for (let n = 0; n < count; n++) {
      await subscription.publish({ n });
      await pause();
    }
    while (received.length < count) await pause();
    seal();
    client.disconnect();
  },

  /** Opens once, and never has a reason to reconnect. */
  async 'reconnecting-websocket'(received, changes) {
    const socket = new ReconnectingWebSocket(gateway, [], { WebSocket: Socket, minReconnectionDelay: 1 });
    for (const type of ['open', 'close', 'error']) socket.addEventListener(type, () => changes.push(type));
    socket.addEventListener('message', ({ data }) => received.push(Number(data)));
    for (let n = 0; n < count; n++) {
      socket.send(String(n));
      await pause();
    }
    while (received.length < count) await pause();
    seal();
    socket.close();
  },

  /** One subscription of `count` results, over the subprotocol that it insists on. */
  async 'graphql-ws'(received, changes) {
    const client = createClient({ url: gateway, webSocketImpl: Socket, retryAttempts: 5 });
    for (const state of ['opened', 'connected', 'closed', 'error']) client.on(state, () => changes.push(state));
    for await (const { data } of client.iterate({ query: `subscription { numbers(count: ${count}) }` })) received.push(data.numbers);
    seal();
    await client.dispose();
  },
};

const received = [];
const changes = [];
let seen = changes;
const seal = () => (seen = [...changes]); // what comes after this was asked for
setTimeout(() => finish('deadline passed'), 60_000).unref();

function finish(why) {
  console.log(JSON.stringify({ why, received, changes: seen, moves: moves.length }));
  process.exit(why === 'done' ? 0 : 1);
}

await libraries[library](received, changes);
finish('done');
