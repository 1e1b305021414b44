// Two clients of the official JavaScript SDK exchange publications: `node exchange.mjs URL CHANNEL COUNT`.
// The first subscribes and publishes, the second subscribes. Prints what was seen as JSON; exit code 0 if all went well.
import { Centrifuge } from 'centrifuge';
import WebSocket from 'ws';

const [url, channel, countText] = process.argv.slice(2);
const count = Number(countText ?? 20);
const deadline = setTimeout(() => finish(1, 'deadline passed'), 15000);

function open(name) {
  const client = new Centrifuge(url, { websocket: WebSocket, name });
  const subscription = client.newSubscription(channel);
  const received = [];
  const errors = [];
  client.on('error', (context) => errors.push(context.error));
  subscription.on('error', (context) => errors.push(context.error));
  subscription.on('publication', (context) => received.push({ data: context.data, client: context.info?.client }));
  subscription.subscribe();
  client.connect();
  return { client, subscription, received, errors };
}

const one = open('one');
const two = open('two');

function finish(code, why) {
  clearTimeout(deadline);
  console.log(JSON.stringify({ why, errors: [...one.errors, ...two.errors], one: one.received, two: two.received, node: one.node }));
  one.client.disconnect();
  two.client.disconnect();
  process.exit(code);
}

try {
  await Promise.all([one.client.ready(10000), two.client.ready(10000)]);
  await Promise.all([one.subscription.ready(10000), two.subscription.ready(10000)]);
  for (let n = 0; n < count; n++) await one.subscription.publish({ n, text: 'grüße' });
  await two.client.publish(channel, { n: count }); // without the subscription object
  while (two.received.length <= count || one.received.length <= count) await new Promise((done) => setTimeout(done, 10));
  two.subscription.unsubscribe();
  await one.subscription.publish({ n: count + 1 });
  while (one.received.length <= count + 1) await new Promise((done) => setTimeout(done, 10));
  const refused = await one.client.rpc('nothing', {}).then(() => null, (error) => error.code);
  finish(refused === 108 ? 0 : 1, `rpc was answered ${refused}`);
} catch (error) {
  finish(1, String(error?.message ?? error));
}
