// A client of the official JavaScript SDK publishes and disconnects in the next tick, again and again:
// `node publish_and_leave.mjs URL CHANNEL COUNT`. Exit code 0 when all have disconnected.
import { Centrifuge } from 'centrifuge';
import WebSocket from 'ws';

const [url, channel, count] = process.argv.slice(2);

for (let n = 0; n < Number(count); n++) {
  const client = new Centrifuge(url, { websocket: WebSocket });
  client.connect();
  await client.ready(10000);
  client.publish(channel, n).catch(() => {}); // it may hear no answer: it does not wait for one
  await new Promise((done) => setImmediate(done));
  const over = new Promise((done) => client.once('disconnected', done));
  client.disconnect();
  await over;
}
