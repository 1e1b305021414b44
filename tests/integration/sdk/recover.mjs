// A client of the official JavaScript SDK stays subscribed, whatever happens to its server: `node recover.mjs URL CHANNEL`.
// Prints a line once it is subscribed, and a line with all that it has seen when the publication "end" has come.
import { Centrifuge } from 'centrifuge';
import WebSocket from 'ws';

const [url, channel] = process.argv.slice(2);
const client = new Centrifuge(url, { websocket: WebSocket, minReconnectDelay: 50, maxReconnectDelay: 500 });
const subscription = client.newSubscription(channel);
const received = [];
const subscribed = [];
const unsubscribed = [];
const disconnected = [];

subscription.on('subscribed', ({ wasRecovering, recovered, recoverable, positioned }) => {
  subscribed.push({ wasRecovering, recovered, recoverable, positioned });
  if (subscribed.length === 1) console.log(JSON.stringify({ ready: true }));
});
subscription.on('unsubscribed', ({ code }) => unsubscribed.push(code));
client.on('connecting', ({ code }) => disconnected.push(code));
subscription.on('publication', async ({ data, offset }) => {
  received.push({ data, offset });
  if (data !== 'end') return;
  const history = await subscription.history({ limit: 1, reverse: true });
  const presence = Object.keys((await subscription.presence()).clients).length;
  const { numClients } = await subscription.presenceStats();
  console.log(JSON.stringify({
    received, subscribed, unsubscribed, disconnected, presence, stats: numClients,
    history: history.publications.map((publication) => publication.data),
  }));
  process.exit(0);
});
subscription.subscribe();
client.connect();
