// A client of the official JavaScript SDK calls methods (RPC): `node call.mjs URL`. Prints what came as JSON.
import { Centrifuge } from 'centrifuge';
import WebSocket from 'ws';

const client = new Centrifuge(process.argv[2], { websocket: WebSocket, timeout: 20000 });
client.connect();
await client.ready(10000);
const order = [];
const call = (method, data) => client.rpc(method, data).then(
  (result) => { order.push(method); return result.data; },
  (error) => ({ code: error.code, message: error.message, temporary: Boolean(error.temporary) }),
);
const slow = call('slow', 1);
const answers = [await call('echo', { 'ü': [1, null] }), await call('nothing', null), await call('refuse', 1), await call('none:m', 1)];
await client.rpc('release', {});
answers.push(await slow);
console.log(JSON.stringify({ answers, order }));
client.disconnect();
