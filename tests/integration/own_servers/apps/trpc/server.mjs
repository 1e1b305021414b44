// tRPC server whose mutation answers after 50 ms, with a subscription: INSTANCE=a node server.mjs 9000
import { initTRPC } from '@trpc/server';
import { applyWSSHandler } from '@trpc/server/adapters/ws';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocketServer } from 'ws';

const instance = process.env.INSTANCE;
const trpc = initTRPC.create();
const router = trpc.router({
  echo: trpc.procedure.input(Number).mutation(async () => {
    await sleep(50);
    return instance;
  }),
  ticks: trpc.procedure.subscription(async function* ({ signal }) {
    while (!signal.aborted) {
      yield instance;
      await sleep(250);
    }
  }),
});

const wss = new WebSocketServer({ port: Number(process.argv[2]) });
const handler = applyWSSHandler({ wss, router });
process.on('SIGTERM', () => {
  handler.broadcastReconnectNotification();
  wss.close(() => process.exit(0));
});
