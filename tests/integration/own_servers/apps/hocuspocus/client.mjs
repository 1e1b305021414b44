// Clients of npm's `@hocuspocus/provider`, with its own reconnection: each edits a Yjs document of its own.
import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider';
import WebSocket from 'ws';
import { run } from '../events.mjs';

run((url, reporter, number) => {
  const websocketProvider = new HocuspocusProviderWebsocket({ url, WebSocketPolyfill: WebSocket });
  let instance;
  let unsynced = [];
  const provider = new HocuspocusProvider({
    websocketProvider,
    name: `document-${number}`,
    onStateless: ({ payload }) => reporter.nowConnected((instance = payload)),
    onClose: ({ event }) => reporter.nowDisconnected({ code: event.code, reason: String(event.reason) }),
    onUnsyncedChanges({ number }) {
      if (number > 0) return;
      for (const resolve of unsynced) resolve(instance);
      unsynced = [];
    },
  });
  provider.attach();
  return (n) => new Promise((resolve) => {
    unsynced.push(resolve);
    provider.document.getMap('edits').set('n', n);
  });
});
