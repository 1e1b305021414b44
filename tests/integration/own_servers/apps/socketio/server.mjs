// Socket.IO server that acknowledges after 50 ms: INSTANCE=a node server.mjs 9000
import { Server } from 'socket.io';

const instance = process.env.INSTANCE;
const io = new Server(Number(process.argv[2]), { transports: ['websocket'] });

io.on('connection', (socket) => {
  socket.emit('instance', instance);
  socket.on('echo', (n, acknowledge) => setTimeout(() => acknowledge(instance), 50));
});
process.on('SIGTERM', () => io.close());
