// Hocuspocus server that takes 50 ms for each message: INSTANCE=a node server.mjs 9000
import { Server } from '@hocuspocus/server';
import { setTimeout as sleep } from 'node:timers/promises';

const server = new Server({
  port: Number(process.argv[2]),
  quiet: true,
  connected: async ({ connection }) => connection.sendStateless(process.env.INSTANCE),
  beforeHandleMessage: () => sleep(50),
});

await server.listen();
