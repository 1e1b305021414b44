// What a program with clients prints and obeys: `run(start)` makes `node client.mjs URL COUNT INTERVAL_MS` of it.
// It prints JSON lines with the time (seconds of the monotonic clock), the client's number and an event, obeys the lines
// `pause` and `resume`, and ends with its standard input. The events are described in ../driver.py.
import { createInterface } from 'node:readline';

let paused = false;

function print(event) {
  process.stdout.write(JSON.stringify({ at: Number(process.hrtime.bigint()) / 1e9, ...event }) + '\n');
}

/** One client: prints its events, and sends a numbered message each interval while it is connected. */
export class Reporter {
  #client;
  #sent = 0;
  connected = false;

  constructor(client) {
    this.#client = client;
  }

  print(event, more = {}) {
    print({ client: this.#client, event, ...more });
  }

  /** The server has said its name. */
  nowConnected(instance) {
    this.print(this.connected ? 'greeted' : 'connected', { instance });
    this.connected = true;
  }

  nowDisconnected(why) {
    this.connected = false;
    this.print('disconnected', why);
  }

  /** Send messages by `send(n)`, which resolves to the name of the instance that acknowledged it. */
  sendEach(intervalMs, send) {
    setInterval(async () => {
      if (paused || !this.connected) return;
      const n = ++this.#sent;
      this.print('sent', { n });
      try {
        this.print('acked', { n, instance: await send(n) });
      } catch (error) {
        this.print('lost', { n, why: String(error?.message ?? error) });
      }
    }, intervalMs);
  }
}

/** Run the clients that the command line asks for: `start(url, reporter, number)` connects one and returns its `send`. */
export function run(start) {
  const [url, count, intervalMs] = process.argv.slice(2);
  for (let number = 0; number < Number(count); number++) {
    const reporter = new Reporter(number);
    const send = start(url, reporter, number);
    const share = (Number(intervalMs) * number) / Number(count); // so that they do not send all at once
    setTimeout(() => reporter.sendEach(Number(intervalMs), send), share);
  }
  createInterface({ input: process.stdin })
    .on('line', (line) => {
      paused = line === 'pause';
      print({ event: paused ? 'paused' : 'resumed' });
    })
    .on('close', () => process.exit(0));
}
