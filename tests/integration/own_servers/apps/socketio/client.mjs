// Clients of npm's `socket.io-client` over WebSocket, with its own reconnection.
import { io } from 'socket.io-client';
import { run } from '../events.mjs';

const ACK_MS = 5_000;

run((url, reporter) => {
  const socket = io(url, { transports: ['websocket'], forceNew: true });
  socket.on('instance', (instance) => reporter.nowConnected(instance));
  socket.on('disconnect', (reason, details) => {
    reporter.nowDisconnected({ code: details?.context?.code, reason });
  });
  socket.on('connect_error', (error) => reporter.print('error', { why: error.message }));
  return (n) => socket.timeout(ACK_MS).emitWithAck('echo', n);
});
