// Clients of npm's `@trpc/client` over `wsLink`: a subscription that lasts, and mutations, with its own reconnection.
// While a connection closes, its client does not send what it is given, and says so: its own `retryLink` tries that again.
import { createTRPCClient, createWSClient, retryLink, wsLink } from '@trpc/client';
import WebSocket from 'ws';
import { run } from '../events.mjs';

const NOT_SENT = 'Active connection is not open';
const AGAIN_MS = 100;
const ATTEMPTS = 50;

run((url, reporter) => {
  const socket = createWSClient({
    url,
    WebSocket,
    onClose: (cause) => reporter.nowDisconnected({ code: cause?.code }),
    onError: () => reporter.print('error', { why: 'cannot connect' }),
  });
  const retry = ({ error, attempts }) => error.message === NOT_SENT && attempts < ATTEMPTS;
  const client = createTRPCClient({
    links: [retryLink({ retry, retryDelayMs: () => AGAIN_MS }), wsLink({ client: socket })],
  });
  client.ticks.subscribe(undefined, {
    onData(instance) {
      if (!reporter.connected) reporter.nowConnected(instance);
      reporter.print('tick', { instance });
    },
    onError: (error) => reporter.print('gave_up', { why: error.message }),
    onComplete: () => reporter.print('gave_up', { why: 'complete' }),
  });
  return (n) => client.echo.mutate(n);
});
