// Clients of npm's `graphql-ws`: a subscription that lasts, and mutations, with its own retries. Without `shouldRetry` it
// gives up at the first attempt to connect that is refused.
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { run } from '../events.mjs';

run((url, reporter) => {
  const client = createClient({ url, webSocketImpl: WebSocket, shouldRetry: () => true });
  client.on('closed', ({ code, reason }) => reporter.nowDisconnected({ code, reason }));
  client.on('error', (error) => reporter.print('error', { why: String(error?.message ?? error) }));
  client.subscribe({ query: 'subscription { ticks }' }, {
    next({ data }) {
      if (!reporter.connected) reporter.nowConnected(data.ticks);
      reporter.print('tick', { instance: data.ticks });
    },
    error: (error) => reporter.print('gave_up', { why: String(error?.reason ?? error?.message ?? error) }),
    complete: () => reporter.print('gave_up', { why: 'complete' }),
  });
  return (n) => new Promise((resolve, reject) => {
    let answer;
    client.subscribe({ query: `mutation { echo(n: ${n}) }` }, {
      next: ({ data }) => (answer = data.echo),
      error: reject,
      complete: () => (answer ? resolve(answer) : reject(new Error('complete without an answer'))),
    });
  });
});
