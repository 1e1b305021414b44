// The usual Socket.IO client with its default settings: node socketio_client.mjs URL. Prints what it saw, as JSON.
import { createRequire } from 'node:module';

const require = createRequire(new URL('../own_servers/package.json', import.meta.url));
const { io } = require('socket.io-client');

const socket = io(process.argv[2], { reconnection: false });
const seen = { names: [], transports: [socket.io.engine.transport.name] };
socket.on('connect_error', (error) => { console.log(JSON.stringify({ error: String(error) })); process.exit(1); });
socket.on('connect', async () => {
  seen.names.push(await socket.emitWithAck('echo', 1));
  while (socket.io.engine.transport.name !== 'websocket') await new Promise((resolve) => setTimeout(resolve, 20));
  seen.transports.push(socket.io.engine.transport.name);
  seen.names.push(await socket.emitWithAck('echo', 2));
  console.log(JSON.stringify(seen));
  socket.close();
});
