// graphql-ws server whose mutation answers after 50 ms, with a subscription: INSTANCE=a node server.mjs 9000
import { buildSchema } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocketServer } from 'ws';

const instance = process.env.INSTANCE;
const schema = buildSchema(`
  type Query { instance: String! }
  type Mutation { echo(n: Int!): String! }
  type Subscription { ticks: String! }
`);
const roots = {
  query: { instance },
  mutation: {
    async echo() {
      await sleep(50);
      return instance;
    },
  },
  subscription: {
    async *ticks() {
      for (;;) {
        yield { ticks: instance };
        await sleep(250);
      }
    },
  },
};

const sockets = new WebSocketServer({ port: Number(process.argv[2]), path: '/graphql' });
const server = useServer({ schema, roots }, sockets);
process.on('SIGTERM', async () => {
  await server.dispose();
  process.exit(0);
});
