// A client of the official JavaScript SDK asks for everything that is kept: `node since.mjs URL CHANNEL EPOCH COUNT`.
// Subscribes since the offset 0, and prints what it was told and given when COUNT publications have come.
import { Centrifuge } from 'centrifuge';
import WebSocket from 'ws';

const [url, channel, epoch, count] = process.argv.slice(2);
const client = new Centrifuge(url, { websocket: WebSocket });
const subscription = client.newSubscription(channel, { since: { offset: 0, epoch } });
const received = [];
let told;

subscription.on('subscribed', ({ wasRecovering, recovered }) => { told = { wasRecovering, recovered }; });
subscription.on('error', ({ error }) => { console.error(JSON.stringify(error)); process.exit(1); });
subscription.on('publication', ({ data }) => {
  received.push(data);
  if (received.length < Number(count)) return;
  console.log(JSON.stringify({ told, received }));
  process.exit(0);
});
subscription.subscribe();
client.connect();
